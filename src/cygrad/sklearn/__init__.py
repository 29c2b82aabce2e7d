"""Estimators for scikit-learn: `MLPClassifier` and `MLPRegressor`, trained and run by cygrad.

They take the place of scikit-learn's classes of the same names::

    from cygrad.sklearn import MLPClassifier, MLPRegressor

Parameters, attributes, random numbers, warnings and errors are those of scikit-learn 1.9: the same
`random_state` gives the same initial parameters, validation part, orders of samples and, up to
rounding, the same trained network. This module needs the extra ``cygrad[sklearn]``, with
scikit-learn 1.6 or newer; the rest of the package does not import it.

Searches on several processes
-----------------------------
Joblib's backends (loky, Dask, Ray, Spark) run `GridSearchCV`, ensembles and the like with these
estimators, to the same bits as one process. With Dask (``pip install distributed``)::

    with distributed.Client(), joblib.parallel_backend("dask"):
        GridSearchCV(MLPClassifier(random_state=0), {"alpha": [1e-4, 1e-2]}).fit(X, y)

loky and Dask limit the threads of each worker by OMP_NUM_THREADS, which cygrad follows. With Dask a
fit has one thread, and a worker several fits; for wide networks give it fewer fits and more
threads: ``distributed.Client(threads_per_worker=1)`` in an environment where CYGRAD_NUM_THREADS,
which wins, is the number of threads.

Differences
-----------
What scikit-learn 1.9 does, and what these estimators do instead:

==================================  ===============================  ===============================
case                                scikit-learn                     here
==================================  ===============================  ===============================
best parameters of early stopping,  are the trained arrays: the      are a copy
second fit with warm_start          restored ones have moved on
early_stopping switched between     AttributeError or TypeError      works; scores begin anew
fits with warm_start
other hidden_layer_sizes with       trains the old sizes             ValueError
warm_start
`partial_fit` with an integer       every call from the second on    a new order in every call
random_state                        has the same order
`set_params` between two            new rates are not used           all new parameters are used
`partial_fit`
a batch whose weights are all 0     ZeroDivisionError                is no step
negative sample weights             are used                         ValueError
negative targets, loss "poisson"    `loss_` is NaN                   ValueError
parameters or losses overflow       `loss_` is NaN for the rest of   ValueError; with early stopping
                                    the fit                          the best parameters are kept
a validation score that is NaN      counts as progress               counts as an epoch without
several squared errors, L-BFGS      minimises one function by the    minimises what it reports: the
                                    gradient of another              mean over the targets
several squared errors, descent     `loss_` is the mean, the         the same; target_gradient=
                                    gradient that of the sum         "mean" goes down the mean
early_stopping, three classes or    draws without regard to classes  the same; stratify="always"
more                                                                 keeps their shares
`loss_` of probabilities near 0     cut off at −ln ε = 36            exact
`loss_` of Poisson rates near 0     NaN or ∞ if 0 by rounding        exact
`coefs_` changed in place           changes the network              read-only; items are assigned
                                                                     (``est.coefs_[0] = W``)
momentum=1                          never slows down                 ValueError, expected below 1
Ctrl-C in L-BFGS                    KeyboardInterrupt                a warning, as in descent
a fit that is refused for its data  has the new classes and columns  leaves the fitted estimator as
after another fit                   beside the old network           it was
`activation` changed after `fit`    changes the predictions          is used by the next `fit`
`predict` for text such as "1.5"    ValueError; `fit` takes it       is taken as in `fit`
predictions for X of another        have the wider of both dtypes    have the dtype of the network
dtype than in `fit`
`decision_function`                 does not exist                   is what CalibratedClassifierCV,
                                                                     for example, takes instead of
                                                                     the probabilities
==================================  ===============================  ===============================
"""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError("cygrad.sklearn needs scikit-learn: pip install 'cygrad[sklearn]'") from error

from cygrad.sklearn.classifier import MLPClassifier
from cygrad.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
