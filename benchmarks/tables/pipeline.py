"""The usual pipeline of scikit-learn for a table, as a program: train a model, or predict.

    python pipeline.py train DATA MODEL TARGET UNITS BATCH_SIZE EPOCHS TEST_SHARE
    python pipeline.py predict DATA MODEL TARGET PREDICTIONS

Training divides the rows, prints its results as JSON and saves the model, as ``cygrad train`` does.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib import import_module
from typing import Any

joblib: Any = import_module("joblib")
pandas: Any = import_module("pandas")


def train(data: str, model: str, target: str, *numbers: str) -> None:
    from sklearn.compose import ColumnTransformer
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    units, batch_size, epochs = map(int, numbers[:3])
    X, y = _read(data, target)
    parts: Any = train_test_split(X, y, test_size=float(numbers[3]), stratify=y, random_state=0)
    X, X_test, y, y_test = parts
    quantities = list(X.select_dtypes("number"))
    texts = [name for name in X if name not in quantities]
    scaled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    coded = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    network = MLPClassifier(
        (units,), batch_size=batch_size, max_iter=epochs, n_iter_no_change=epochs, random_state=0
    )
    pipeline = make_pipeline(
        ColumnTransformer([("scaled", scaled, quantities), ("coded", coded, texts)]), network
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so few epochs are meant
        pipeline.fit(X, y)
    accuracy = {"train": pipeline.score(X, y), "test": pipeline.score(X_test, y_test)}
    joblib.dump(pipeline, model)
    steps = network.n_iter_ * -(-len(X) // batch_size)
    print(json.dumps({"steps": steps, "inputs": network.n_features_in_, "accuracy": accuracy}))


def predict(data: str, model: str, target: str, predictions: str) -> None:
    pipeline = joblib.load(model)
    X, _ = _read(data, target)
    pandas.DataFrame({"prediction": pipeline.predict(X)}).to_csv(predictions, index=False)


def _read(data: str, target: str) -> tuple[Any, Any]:
    frame = pandas.read_csv(data, na_values="?")
    return frame, frame.pop(target)


if __name__ == "__main__":
    (train if sys.argv[1] == "train" else predict)(*sys.argv[2:])
