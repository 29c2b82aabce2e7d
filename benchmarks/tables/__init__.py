"""A table with text from the file to the result, in whole processes.

`section` times them, `data` writes the files, `pipeline` is the program with scikit-learn.
"""
