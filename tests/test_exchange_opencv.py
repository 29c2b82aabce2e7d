"""Networks from the files of OpenCV's ANN_MLP.

The expected outputs are those of OpenCV 5.0.0 for the same files; they are float32.
"""

import numpy as np
import pytest

import cygrad as cg

INPUTS = np.array([[0.5, -1, 2], [1.5, 2, -0.25], [-3, 0.75, 1]], np.float32)
# 3-4-2, trained on 40 samples: parameters of the activation, (scale, shift) of each input and of
# each output, and both matrices of weights, row by row, the biases last.
TRAINED = {
    "IDENTITY": (
        [None, None],
        [
            0.914514430525679,
            -0.18187284877764684,
            1.0137228606362114,
            -0.3043184272935971,
            0.9896038201271298,
            0.1001847963692702,
        ],
        [1.0, 0.0, 1.0, 0.0],
        [
            [
                -0.682548152339574,
                -0.387228310732974,
                -0.3072532922170717,
                -0.4914712475436593,
                -0.5782854430193056,
                -0.5830549167003491,
                -0.29197663786312117,
                -0.4111552883978782,
                -0.7830839228035825,
                0.24382679063019824,
                0.07027016833474738,
                -0.4641013178263478,
                0.2582353237609667,
                -0.12628855415217544,
                -0.5572968743977551,
                0.15836557916753224,
            ],
            [
                -0.9177460887626027,
                -0.3098137560811762,
                -0.10629322058401641,
                -0.26581523823040476,
                -0.2764046374405114,
                -0.5427673412360203,
                -0.7173309322117924,
                0.2570116194975904,
                0.5728711178775184,
                -0.23284945439649263,
            ],
        ],
    ),
    "SIGMOID_SYM": (
        [0.6666666666666666, 1.7159],
        [
            0.914514430525679,
            -0.18187284877764684,
            1.0137228606362114,
            -0.3043184272935971,
            0.9896038201271298,
            0.1001847963692702,
        ],
        [4.402649151651484, 1.0884989500045779, 3.954498893336246, 0.4282240867614745],
        [
            [
                -0.597983966657458,
                -0.378857133633664,
                -0.3168096423720482,
                -0.43085689992140663,
                -0.34509604598291427,
                -0.422937829897578,
                -0.05370278095375227,
                -0.3181630930251132,
                -0.5776158108157056,
                0.2552111510803311,
                0.13590766907759633,
                -0.30631566445065,
                0.5810514404165221,
                0.020576569951961745,
                -0.2013342793142137,
                0.15847964000813508,
            ],
            [
                -0.9336477781451757,
                -0.4717700736188602,
                -0.12369655512845212,
                -0.32664574578018973,
                -0.29713780513557697,
                -0.7000384266587139,
                -0.5588615978539655,
                0.5060312575804499,
                0.02681602684562233,
                -0.15999727965232766,
            ],
        ],
    ),
    "GAUSSIAN": (
        [0.7, 1.3],
        [
            0.914514430525679,
            -0.18187284877764684,
            1.0137228606362114,
            -0.3043184272935971,
            0.9896038201271298,
            0.1001847963692702,
        ],
        [8.805298303302967, -3.5342826592294796, 7.908997786672492, -3.7239997512415837],
        [
            [
                -0.23979342045118127,
                -0.3839107717101216,
                0.07666253287891725,
                -0.22776768542659567,
                0.19999462249625452,
                -0.36115772074371477,
                0.2852041962433296,
                -0.102246358579945,
                -0.1051821081041967,
                0.33939237966065067,
                0.4377200463049792,
                -0.22946285268882724,
                0.3337611091817339,
                0.03479016185306958,
                0.2990750033918051,
                -0.33689337166804684,
            ],
            [
                -0.5091380754171851,
                -0.36671253937535,
                -0.19153267260378581,
                -0.22749384566598693,
                -0.6271619395322455,
                -0.6304767454733443,
                -0.5822714692115716,
                0.6979883742769043,
                0.39652607170960114,
                -0.7902634650140385,
            ],
        ],
    ),
    "RELU": (
        [0.7, 0.0],
        [
            0.914514430525679,
            -0.18187284877764684,
            1.0137228606362114,
            -0.3043184272935971,
            0.9896038201271298,
            0.1001847963692702,
        ],
        [1.0, 0.0, 1.0, 0.0],
        [
            [
                -0.5897182287576518,
                -0.3876880153582684,
                -0.37621016698101556,
                -0.34705979368041295,
                -0.496006411758245,
                -0.29673298867035913,
                0.13902447617748606,
                -0.6170275833473758,
                -0.5978870542234095,
                0.3241822631436346,
                0.08426989867761318,
                -0.3304937674164017,
                1.2360534481430767,
                0.12311102468837799,
                -0.21315949287907782,
                0.1711717109753479,
            ],
            [
                -1.4025331729240111,
                -0.5991375200240783,
                -0.06449152916658496,
                -0.28396991347000067,
                -0.2408035392508918,
                -0.7567858045614624,
                -0.5940874450594047,
                0.6746743178588035,
                2.4678116786078172,
                -0.9303027699660967,
            ],
        ],
    ),
    "LEAKYRELU": (
        [0.7, 0.0],
        [
            0.914514430525679,
            -0.18187284877764684,
            1.0137228606362114,
            -0.3043184272935971,
            0.9896038201271298,
            0.1001847963692702,
        ],
        [1.0, 0.0, 1.0, 0.0],
        [
            [
                -0.8365321789984852,
                -0.1619081120754775,
                -0.3637376536596032,
                -0.5190346754042062,
                -0.5421216528398973,
                -0.7194229429067203,
                -0.31568869356311585,
                -0.5690797974346882,
                -0.850074366215105,
                0.31166560346052485,
                0.030396530013408515,
                -0.5606048645068101,
                0.290044002765627,
                -0.06351159156883958,
                -0.6555364319239301,
                0.10272605525985154,
            ],
            [
                -1.0891954222828943,
                -0.4491919958600445,
                -0.1610431505909536,
                -0.44961660446974566,
                -0.31196554144356453,
                -0.8095373259902516,
                -0.9056316279563638,
                0.3343678361368207,
                0.6320008047272254,
                -0.2830483251333839,
            ],
        ],
    ),
}
OUTPUTS = {
    "IDENTITY": [
        [1.5101290941238403, -0.30602356791496277],
        [3.225048065185547, 1.1498948335647583],
        [-1.3048311471939087, -0.7755303978919983],
    ],
    "SIGMOID_SYM": [
        [1.5399402379989624, -0.3143411874771118],
        [3.11792254447937, 0.9986408352851868],
        [-1.8777612447738647, -1.3945738077163696],
    ],
    "GAUSSIAN": [
        [0.07550324499607086, 0.7782182693481445],
        [0.18854168057441711, 0.789509117603302],
        [0.2097751945257187, 2.9220945835113525],
    ],
    "RELU": [[1.5992059707641602, 0.0], [2.4678115844726562, 0.0], [0.0, 0.0]],
    "LEAKYRELU": [
        [1.4991042613983154, -0.4129067659378052],
        [3.213547945022583, 1.2751601934432983],
        [-1.3382426500320435, -0.8155481219291687],
    ],
}


def _lines(numbers):
    return "\n    ".join(f"{number:.17g}" for number in numbers)


def xml(name, **changes):
    """Return a file as OpenCV writes it in XML."""
    parameters, inputs, outputs, matrices = TRAINED[name]
    weights = "".join(f"\n    <_>\n      {_lines(matrix)}</_>" for matrix in matrices)
    named = "".join(
        f"  <f_param{number}>{value!r}</f_param{number}>\n"
        for number, value in enumerate(parameters, 1)
        if value is not None
    )
    content = (
        '<?xml version="1.0"?>\n<opencv_storage>\n<opencv_ml_ann_mlp>\n  <format>3</format>\n'
        "  <layer_sizes>\n    3 4 2</layer_sizes>\n"
        f"  <activation_function>{name}</activation_function>\n{named}"
        "  <training_params>\n    <train_method>BACKPROP</train_method></training_params>\n"
        f"  <input_scale>\n    {_lines(inputs)}</input_scale>\n"
        f"  <output_scale>\n    {_lines(outputs)}</output_scale>\n"
        f"  <weights>{weights}</weights></opencv_ml_ann_mlp>\n</opencv_storage>\n"
    )
    for before, after in changes.items():
        assert before in content
        content = content.replace(before, after)
    return content


def _spelled(number):
    return f"{number:.0f}." if number == int(number) else f"{number:.17g}"


def _items(numbers, dent):
    return "".join(f"\n{' ' * dent}- {_spelled(number)}" for number in numbers)


def yaml(name, directive="%YAML 1.2"):
    """Return a file as OpenCV writes it in YAML."""
    parameters, inputs, outputs, matrices = TRAINED[name]
    named = "".join(
        f"   f_param{number}: {_spelled(value)}\n"
        for number, value in enumerate(parameters, 1)
        if value is not None
    )
    weights = "".join(f"\n      -{_items(matrix, 9)}" for matrix in matrices)
    return (
        f"{directive}\n---\nopencv_ml_ann_mlp:\n   format: 3\n   layer_sizes: [ 3, 4, 2 ]\n"
        f"   activation_function: {name}\n{named}   input_scale:{_items(inputs, 6)}\n"
        f"   output_scale:{_items(outputs, 6)}\n   weights:{weights}\n"
    )


@pytest.mark.parametrize("name", TRAINED)
def test_all_activations_give_the_outputs_of_opencv(tmp_path, name):
    path = tmp_path / "some.xml"
    path.write_text(xml(name))
    net = cg.exchange.from_opencv(path)
    np.testing.assert_allclose(net.forward(INPUTS), OUTPUTS[name], rtol=1e-6, atol=1e-7)
    assert (net.dtype, net.loss) == ("float64", "mse")
    small = cg.exchange.from_opencv(path, dtype="float32")
    np.testing.assert_allclose(small.forward(INPUTS), OUTPUTS[name], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("directive", ["%YAML 1.2", "%YAML:1.0"])
@pytest.mark.parametrize("name", TRAINED)
def test_yaml_gives_the_same_network(tmp_path, name, directive):
    pytest.importorskip("yaml", reason="needs the extra yaml")
    (tmp_path / "some.xml").write_text(xml(name))
    (tmp_path / "some.yml").write_text(yaml(name, directive))
    net = cg.exchange.from_opencv(tmp_path / "some.yml")
    other = cg.exchange.from_opencv(tmp_path / "some.xml")
    np.testing.assert_array_equal(net.parameters, other.parameters)
    np.testing.assert_array_equal(net.input_mean, other.input_mean)


def test_the_scale_of_a_constant_input_is_0(tmp_path):
    first = TRAINED["IDENTITY"][1][0]
    path = tmp_path / "some.xml"
    path.write_text(xml("IDENTITY", **{f"{first:.17g}\n": "0\n"}))
    net = cg.exchange.from_opencv(path)
    moved = INPUTS.copy()
    moved[:, 0] = 99
    np.testing.assert_array_equal(net.forward(INPUTS), net.forward(moved))
    _, inputs, outputs, matrices = TRAINED["IDENTITY"]
    scale, shift = np.array(inputs).reshape(3, 2).T
    a = INPUTS * np.array([0, *scale[1:]]) + shift
    for matrix, units in zip(matrices, (4, 2), strict=True):
        W = np.array(matrix).reshape(-1, units)
        a = a @ W[:-1] + W[-1]
    factor, offset = np.array(outputs).reshape(2, 2).T
    np.testing.assert_allclose(net.forward(INPUTS), a * factor + offset, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opencv_ml_ann_mlp": "opencv_ml_svm"}, "holds no opencv_ml_ann_mlp"),
        ({"<opencv_storage>": "<o>", "</opencv_storage>": "</o>"}, "holds no opencv_ml_ann_mlp"),
        ({"function>RELU": "function>SIN"}, "activation_function is SIN"),
        ({"3 4 2</layer": "3 5 2</layer"}, "damaged"),
        ({"3 4 2</layer": "4 4 2</layer"}, "damaged"),
        ({"</weights>": ""}, "damaged"),
        ({"output_scale>": "output_scales>"}, "damaged"),
        ({'<?xml version="1.0"?>': '<!DOCTYPE a [<!ENTITY b "c">]>'}, "document type"),
    ],
)
def test_other_and_damaged_files_are_refused(tmp_path, changes, message):
    path = tmp_path / "some.xml"
    path.write_text(xml("RELU", **changes))
    with pytest.raises(ValueError, match=message) as caught:
        cg.exchange.from_opencv(path)
    assert "some.xml" in str(caught.value)


def test_numbers_that_are_not_finite_are_refused_with_the_reason(tmp_path):
    number = f"{TRAINED['RELU'][3][0][0]:.17g}"
    path = tmp_path / "some.xml"
    path.write_text(xml("RELU", **{number: "-.Inf"}))
    with pytest.raises(ValueError, match=r"holds NaN or infinity.*NO_OUTPUT_SCALE"):
        cg.exchange.from_opencv(path)


def test_a_network_that_opencv_has_trained(tmp_path):
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV with its contributed modules")
    if not hasattr(cv2, "ml"):
        pytest.skip("this OpenCV has no ml module")
    random = np.random.default_rng(0)
    X = random.normal(size=(40, 3)).astype(np.float32)
    y = np.stack([X.sum(axis=1), X[:, 0] * X[:, 1]], axis=1)
    for ending in ("xml", "yml"):
        net = cv2.ml.ANN_MLP_create()
        net.setLayerSizes(np.array([3, 5, 4, 2]))
        net.setActivationFunction(cv2.ml.ANN_MLP_SIGMOID_SYM, 0, 0)
        net.setTermCriteria((3, 20, 1e-6))
        net.train(X, cv2.ml.ROW_SAMPLE, y)
        net.save(str(tmp_path / f"net.{ending}"))
        ours = cg.exchange.from_opencv(tmp_path / f"net.{ending}")
        np.testing.assert_allclose(ours.forward(X), net.predict(X)[1], rtol=1e-5, atol=1e-6)
