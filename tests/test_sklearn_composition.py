"""The estimators inside scikit-learn's tools: pipelines, searches, ensembles, inspection."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")

from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from cygrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("one_blas_thread"),
]

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_SCALED = StandardScaler().fit_transform(X_IRIS)
X_LINE, Y_LINE = make_regression(120, 4, n_informative=2, shuffle=False, random_state=1)
Y_LINE = Y_LINE / Y_LINE.std()


def _classifier(**settings):
    settings = {"max_iter": 60, "learning_rate_init": 0.02, "random_state": 0, **settings}
    return MLPClassifier((8,), **settings)


def _regressor(**settings):
    settings = {"max_iter": 80, "learning_rate_init": 0.02, "random_state": 0, **settings}
    return MLPRegressor(hidden_layer_sizes=(8,), **settings)


def test_a_pipeline_passes_names_and_weights():
    pipe = make_pipeline(StandardScaler(), _classifier())
    assert pipe.fit(X_IRIS, Y_IRIS).score(X_IRIS, Y_IRIS) > 0.9
    alone = _classifier().fit(X_SCALED, Y_IRIS)
    np.testing.assert_array_equal(pipe.predict_proba(X_IRIS), alone.predict_proba(X_SCALED))
    # Only the rows of two classes count.
    weights = (Y_IRIS != 1).astype(float)
    pipe.fit(X_IRIS, Y_IRIS, mlpclassifier__sample_weight=weights)
    assert set(pipe.predict(X_IRIS)) == {0, 2}


def test_a_pipeline_of_frames():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X_IRIS, columns=["a", "b", "c", "d"])
    table["word"] = np.where(X_IRIS[:, 0] > 6, "long", "short")
    words = make_column_transformer((OneHotEncoder(), ["word"]), remainder=StandardScaler())
    pipe = make_pipeline(words, _classifier())
    assert pipe.fit(table, Y_IRIS).score(table, Y_IRIS) > 0.9
    assert pipe[-1].n_features_in_ == 6


def test_a_grid_search_sets_parameters_of_a_step():
    grid = {
        "mlpclassifier__alpha": [1e-4, 1000.0],
        "mlpclassifier__activation": ["tanh", "relu"],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), _classifier()), grid, cv=3)
    search.fit(X_IRIS, Y_IRIS)
    assert search.best_params_["mlpclassifier__alpha"] == 1e-4
    assert search.best_score_ > 0.9
    assert search.cv_results_["mean_test_score"].shape == (4,)
    assert search.predict_proba(X_IRIS).shape == (150, 3)


def test_a_randomized_search_of_solvers():
    settings = {"solver": ["sgd", "adam", "lbfgs"], "hidden_layer_sizes": [(4,), (4, 4)]}
    search = RandomizedSearchCV(
        _regressor(), settings, n_iter=4, cv=2, random_state=0, error_score="raise"
    )
    assert search.fit(X_LINE, Y_LINE).score(X_LINE, Y_LINE) > 0.8


@pytest.mark.parametrize("make", [_classifier, _regressor])
def test_processes_give_the_bits_of_one(make):
    """Large enough for joblib to hand the rows over as read-only memory maps."""
    X, y = load_digits(return_X_y=True)
    X = np.repeat(X, 2, axis=0)
    y = np.repeat(y, 2)
    assert X.nbytes > 2**20
    estimator = make(max_iter=2)
    scores = [
        cross_val_score(estimator, X, y, cv=2, n_jobs=jobs, error_score="raise") for jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


def test_cross_validation_returns_the_estimators():
    result = cross_validate(
        _regressor(max_iter=200),
        X_LINE,
        Y_LINE,
        cv=3,
        return_estimator=True,
        scoring=["r2", "neg_mean_absolute_error"],
    )
    assert result["test_r2"].min() > 0.5
    assert len({each.coefs_[0].tobytes() for each in result["estimator"]}) == 3


def test_predictions_of_the_folds():
    outputs = cross_val_predict(
        _classifier(), X_SCALED, Y_IRIS, cv=3, method="predict_proba", n_jobs=2
    )
    assert outputs.shape == (150, 3)
    assert (outputs.argmax(axis=1) == Y_IRIS).mean() > 0.9


def test_a_learning_curve_in_steps():
    sizes, train, test = learning_curve(
        _classifier(),
        X_SCALED,
        Y_IRIS,
        cv=2,
        train_sizes=[0.4, 1.0],
        exploit_incremental_learning=True,
        shuffle=True,
        random_state=0,
        error_score="raise",
    )
    assert list(sizes) == [30, 75]
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration(method, ensemble):
    calibrated = CalibratedClassifierCV(_classifier(), method=method, cv=3, ensemble=ensemble)
    outputs = calibrated.fit(X_SCALED, Y_IRIS).predict_proba(X_SCALED)
    np.testing.assert_allclose(outputs.sum(axis=1), 1)
    assert calibrated.score(X_SCALED, Y_IRIS) > 0.9


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_a_vote(voting):
    parts = [("mlp", _classifier()), ("linear", LogisticRegression()), ("tanh", _classifier())]
    vote = VotingClassifier(parts, voting=voting).set_params(tanh__activation="tanh")
    assert vote.fit(X_SCALED, Y_IRIS).score(X_SCALED, Y_IRIS) > 0.9
    assert vote.named_estimators_["tanh"].activation == "tanh"


def test_a_mean_of_regressors():
    vote = VotingRegressor([("mlp", _regressor()), ("ridge", Ridge())]).fit(X_LINE, Y_LINE)
    both = [each.predict(X_LINE) for each in vote.estimators_]
    np.testing.assert_allclose(vote.predict(X_LINE), np.mean(both, axis=0))


@pytest.mark.parametrize("jobs", [1, 2])
def test_bags_of_classifiers(jobs):
    bag = BaggingClassifier(
        _classifier(), n_estimators=4, max_features=0.75, random_state=0, n_jobs=jobs
    )
    bag.fit(X_SCALED, Y_IRIS)
    assert bag.score(X_SCALED, Y_IRIS) > 0.9
    assert {each.n_features_in_ for each in bag.estimators_} == {3}
    assert len({each.random_state for each in bag.estimators_}) == 4


def test_bags_of_regressors_with_weights():
    bag = BaggingRegressor(_regressor(), n_estimators=3, random_state=0)
    bag.fit(X_LINE, Y_LINE, sample_weight=np.linspace(0.5, 2, len(X_LINE)))
    assert bag.score(X_LINE, Y_LINE) > 0.8


def test_the_importance_of_columns():
    mlp = _regressor(max_iter=300).fit(X_LINE, Y_LINE)
    result = permutation_importance(mlp, X_LINE, Y_LINE, n_repeats=3, random_state=0)
    assert result.importances_mean[:2].min() > 5 * abs(result.importances_mean[2:]).max()


def test_stacks():
    parts = [("mlp", _regressor()), ("ridge", Ridge())]
    stack = StackingRegressor(parts, final_estimator=_regressor(), cv=3, passthrough=True)
    assert stack.fit(X_LINE, Y_LINE).score(X_LINE, Y_LINE) > 0.8
    assert stack.final_estimator_.n_features_in_ == 6
    parts = [("mlp", _classifier()), ("linear", LogisticRegression())]
    stack = StackingClassifier(parts, cv=3).fit(X_SCALED, Y_IRIS)
    assert stack.stack_method_ == ["predict_proba", "predict_proba"]
    assert stack.score(X_SCALED, Y_IRIS) > 0.9


def test_partial_dependence():
    mlp = _regressor(max_iter=300).fit(X_LINE, Y_LINE)
    found = partial_dependence(mlp, X_LINE, [0], grid_resolution=5)
    heights = found["average"][0]
    for value, height in zip(found["grid_values"][0], heights, strict=True):
        moved = X_LINE.copy()
        moved[:, 0] = value
        assert height == pytest.approx(mlp.predict(moved).mean())
    mlp = _classifier().fit(X_SCALED, Y_IRIS)
    found = partial_dependence(
        mlp, X_SCALED, [2], grid_resolution=3, response_method="predict_proba"
    )
    assert found["average"].shape == (3, 3)


def test_one_classifier_for_each_class_or_label():
    each = OneVsRestClassifier(_classifier()).fit(X_SCALED, Y_IRIS)
    assert each.score(X_SCALED, Y_IRIS) > 0.9
    labels = np.eye(3, dtype=int)[Y_IRIS]
    chain = ClassifierChain(_classifier(), random_state=0).fit(X_SCALED, labels)
    assert chain.predict(X_SCALED).shape == (150, 3)


def test_one_regressor_for_each_target():
    Y = np.stack([Y_LINE, X_LINE[:, 0]], axis=1)
    each = MultiOutputRegressor(_regressor(), n_jobs=2).fit(X_LINE, Y)
    alone = _regressor().fit(X_LINE, Y[:, 1])
    np.testing.assert_array_equal(each.predict(X_LINE)[:, 1], alone.predict(X_LINE))
    for _ in range(2):
        each.partial_fit(X_LINE, Y)
        alone.partial_fit(X_LINE, Y[:, 1])
    np.testing.assert_array_equal(each.predict(X_LINE)[:, 1], alone.predict(X_LINE))


def test_scaled_targets():
    model = TransformedTargetRegressor(_regressor(), transformer=StandardScaler())
    assert model.fit(X_LINE, 1000 + 50 * Y_LINE).score(X_LINE, 1000 + 50 * Y_LINE) > 0.8


def test_selected_columns():
    few = SequentialFeatureSelector(_regressor(max_iter=40), n_features_to_select=2, cv=2)
    np.testing.assert_array_equal(few.fit(X_LINE, Y_LINE).get_support(), [1, 1, 0, 0])


def test_clones_of_a_fitted_estimator_are_not_fitted():
    fitted = _classifier(solver="sgd", alpha=0.25).fit(X_SCALED, Y_IRIS)
    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    assert not [name for name in vars(twin) if name.endswith("_") and not name.startswith("_")]
    twin.fit(X_SCALED, Y_IRIS)
    np.testing.assert_array_equal(twin.coefs_[0], fitted.coefs_[0])


def test_weights_are_routed():
    weights = (Y_IRIS != 1).astype(float)
    with config_context(enable_metadata_routing=True):
        mlp = _classifier().set_fit_request(sample_weight=True)
        mlp.set_score_request(sample_weight=True)
        search = GridSearchCV(mlp, {"alpha": [1e-4, 1e-3]}, cv=3)
        search.fit(X_SCALED, Y_IRIS, sample_weight=weights)
        assert set(search.predict(X_SCALED)) == {0, 2}
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        unset = make_pipeline(scaler, _classifier())
        with pytest.raises(UnsetMetadataPassedError, match=r"MLPClassifier\.fit"):
            unset.fit(X_IRIS, Y_IRIS, sample_weight=weights)
        mlp = _classifier().set_partial_fit_request(classes=True, sample_weight=False)
        assert mlp.get_metadata_routing().partial_fit.requests == {
            "classes": True,
            "sample_weight": False,
        }
