"""Networks in files: what is saved comes back, what is no network is refused, nothing is lost."""

import copy
import io
import json
import os
import pickle
import stat
import zipfile

import numpy as np
import pytest

import cygrad as cg
from cygrad import Dense, Network
from cygrad.network import archive, storage
from cygrad.network.descriptions import FIRST_KEYS


def make(dtype="float32", **options):
    layers = [Dense(5, "relu", use_bias=False), Dense(3, "softmax", trainable="biases")]
    net = Network(4, layers, loss="cross_entropy", dtype=dtype, rng=0, **options)
    net.layers[1].biases = [0.1, 0.2, 0.3]
    return net


def full(dtype="float32"):
    net = make(dtype, reduction="sum")
    net.standardize_inputs(np.random.default_rng(0).normal(5, 2, (20, 4)))
    net.classes = ["eins", "zwei", "drei 三"]
    return net


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


@pytest.fixture
def saved(path):
    """A file of a network, and the members it has."""
    full().save(path)
    return path


def rewrite(path, change=None, header=None, compression=zipfile.ZIP_STORED):
    """Write a file again, with its members changed by name, or fields of its header."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    if header is not None:
        text = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
        text.update(header)
        members["header.npy"] = npy(np.frombuffer(json.dumps(text).encode(), np.uint8))
    members.update(change or {})
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            if data is not None:
                file.writestr(name, data)


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


class TestThereAndBack:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("build", [make, full])
    def test_all_comes_back(self, build, dtype, path):
        net = build(dtype)
        net.save(path)
        again = cg.load(path)
        assert repr(again) == repr(net)
        assert (again.classes, again.dtype) == (net.classes, net.dtype)
        assert again.parameters.tobytes() == net.parameters.tobytes()
        X = np.random.default_rng(1).normal(size=(7, 4))
        assert again.forward(X).tobytes() == net.forward(X).tobytes()
        for name in ("input_mean", "input_scale"):
            np.testing.assert_array_equal(getattr(again, name), getattr(net, name))

    def test_the_loaded_network_can_be_changed_and_saved(self, saved):
        again = cg.load(saved)
        again.parameters = np.zeros(again.n_parameters)
        again.save(saved)
        assert not cg.load(saved).parameters.any()

    def test_numpy_can_read_it(self, saved):
        net = full()
        with np.load(saved, allow_pickle=False) as file:
            assert sorted(file) == sorted(
                ["header", "weights_0", "weights_1", "biases_1", "input_mean", "input_scale"]
            )
            np.testing.assert_array_equal(file["weights_0"], net.layers[0].weights)
            np.testing.assert_array_equal(file["biases_1"], net.layers[1].biases)
            header = json.loads(file["header"].tobytes())
        assert (header["format"], header["version"]) == ("cygrad network", 1)
        assert header["classes"] == ["eins", "zwei", "drei 三"]

    def test_equal_networks_make_equal_files(self, tmp_path):
        for name in "ab":
            full().save(tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class TestNames:
    def test_no_suffix_is_added(self, tmp_path):
        make().save(tmp_path / "model")
        assert os.listdir(tmp_path) == ["model"]
        cg.load(str(tmp_path / "model"))

    def test_a_name_in_the_working_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        make().save("model.npz")
        cg.load("model.npz")

    @pytest.mark.parametrize("path", [3, None, b"model.npz"])
    def test_refuses_what_is_no_path(self, path):
        for use in (make().save, cg.load):
            with pytest.raises(TypeError, match=r"path is .*, expected a str or an os.PathLike"):
                use(path)

    def test_refuses_to_replace_a_folder(self, tmp_path):
        with pytest.raises(ValueError, match="something other than a file"):
            make().save(tmp_path)

    def test_missing_files_and_folders(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            cg.load(tmp_path / "nothing.npz")
        with pytest.raises(FileNotFoundError):
            make().save(tmp_path / "nowhere" / "net.npz")

    @pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")
    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "there").mkdir()
        link = tmp_path / "link.npz"
        link.symlink_to(tmp_path / "there" / "net.npz")
        make().save(link)
        assert link.is_symlink()
        assert os.listdir(tmp_path / "there") == ["net.npz"]
        cg.load(link)

    @pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")
    @pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
    def test_the_mode_is_that_of_any_new_file(self, path, mask):
        before = os.umask(mask)
        try:
            make().save(path)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


class TestNothingIsLost:
    @pytest.mark.parametrize("fault", ["write", "fsync", "replace"])
    def test_a_failure_leaves_the_old_file(self, saved, monkeypatch, fault):
        before = saved.read_bytes()

        def fail(*arguments, **named):
            raise OSError("no space left on device")

        monkeypatch.setattr(archive if fault == "write" else os, fault, fail)
        with pytest.raises(OSError, match="no space left"):
            make().save(saved)
        assert saved.read_bytes() == before
        assert os.listdir(saved.parent) == [saved.name]

    def test_an_interrupt_leaves_the_old_file(self, saved, monkeypatch):
        before = saved.read_bytes()

        def half(file, header, arrays):
            file.write(b"half of it")
            raise KeyboardInterrupt

        monkeypatch.setattr(archive, "write", half)
        with pytest.raises(KeyboardInterrupt):
            make().save(saved)
        assert saved.read_bytes() == before
        assert os.listdir(saved.parent) == [saved.name]

    @pytest.mark.skipif(os.name != "posix", reason="only POSIX can sync a folder")
    def test_all_is_synced_before_and_after_the_name_changes(self, path, monkeypatch):
        done = []
        sync, replace = os.fsync, os.replace

        def record(what, call):
            def recorded(*arguments):
                done.append(what)
                return call(*arguments)

            return recorded

        monkeypatch.setattr(os, "fsync", record("sync", sync))
        monkeypatch.setattr(os, "replace", record("replace", replace))
        make().save(path)
        assert done == ["sync", "replace", "sync"]

    def test_what_is_not_finite_is_not_saved(self, saved):
        before = saved.read_bytes()
        net = make()
        net.engine.storage[:] = np.nan
        with pytest.raises(ValueError, match="weights_0 of the network holds NaN or infinity"):
            net.save(saved)
        assert saved.read_bytes() == before


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty, expected a cygrad network"),
            (b"hello", "is not an .npz archive, expected a cygrad network"),
            (pickle.dumps({"weights": 1}), "is not an .npz archive"),
            (npy(np.zeros(3)), "is not an .npz archive"),
        ],
    )
    def test_foreign_files(self, path, content, message):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            cg.load(path)
        assert repr(str(path)) in str(caught.value)

    def test_foreign_archives(self, path):
        np.savez(path, X=np.zeros(3))
        with pytest.raises(
            ValueError, match=r"an \.npz archive without a header, expected a cygrad"
        ):
            cg.load(path)
        for header in (np.zeros(3), np.frombuffer(b'{"format": "other"}', np.uint8)):
            np.savez(path, header=header)
            with pytest.raises(ValueError, match="header of another kind, expected a cygrad"):
                cg.load(path)

    def test_newer_files(self, saved):
        rewrite(saved, header={"version": 6, "cygrad": "9.1.0", "layers": "of another kind"})
        with pytest.raises(ValueError, match=r"format 6, written by cygrad 9\.1\.0.*newer cygrad"):
            cg.load(saved)

    def test_compressed_files(self, saved):
        rewrite(saved, compression=zipfile.ZIP_DEFLATED)
        with pytest.raises(
            ValueError, match=r"is compressed, expected an archive as Network\.save"
        ):
            cg.load(saved)

    def test_files_cut_short(self, saved):
        whole = saved.read_bytes()
        for length in range(1, len(whole)):
            saved.write_bytes(whole[:length])
            with pytest.raises(ValueError, match="is damaged or cut short"):
                cg.load(saved)

    def test_files_with_a_byte_changed(self, saved):
        # Some bytes of the archive mean nothing, such as dates; all other changes must be found.
        whole, good = saved.read_bytes(), full()
        noticed = 0
        for place in range(0, len(whole), 3):
            changed = bytearray(whole)
            changed[place] ^= 0x15
            saved.write_bytes(changed)
            try:
                net = cg.load(saved)
            except ValueError:
                noticed += 1
            else:
                assert repr(net) == repr(good)
                assert net.parameters.tobytes() == good.parameters.tobytes()
                assert net.input_mean.tobytes() == good.input_mean.tobytes()
                assert net.classes == good.classes
        assert noticed > len(whole) / 3 * 2 / 3

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            (
                {"inputs": 5},
                r"weights_0 is float32 of shape \(5, 4\).*expected float32 of shape \(5, 5\)",
            ),
            ({"inputs": 10**30}, "weights_0 is float32"),
            ({"inputs": 0}, "inputs is 0"),
            ({"inputs": None}, "inputs is None"),
            ({"dtype": "float64"}, "weights_0 is float32"),
            ({"dtype": "object"}, "dtype is 'object'"),
            ({"layers": []}, "header describes"),
            ({"layers": [{"units": 10**12, "activation": "relu", "use_bias": True}]}, "it holds"),
            ({"layers": [{}]}, "'units'"),
            ({"layers": 7}, "not iterable"),
            ({"standardized": False}, "it holds"),
            ({"loss": "hinge"}, "loss 'hinge'"),
            ({"loss": ["hinge"]}, "loss is"),
            ({"reduction": 1}, "reduction is 1"),
            ({"classes": ["a"]}, "expected 3 different names"),
            ({"version": "1"}, "version is '1'"),
            ({"version": 0}, "version is 0"),
        ],
    )
    def test_headers_that_make_no_sense(self, saved, header, message):
        rewrite(saved, header=header)
        with pytest.raises(ValueError, match=f"is damaged or cut short: .*{message}"):
            cg.load(saved)

    @pytest.mark.parametrize(
        "text",
        [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"1" * 10_000, b'{"format": "cygrad network"}'],
    )
    def test_headers_that_are_no_json(self, saved, text):
        rewrite(saved, {"header.npy": npy(np.frombuffer(text, np.uint8))})
        with pytest.raises(ValueError, match="is damaged or cut short"):
            cg.load(saved)

    @pytest.mark.parametrize(
        ("member", "message"),
        [
            (None, "it holds"),
            (b"", ""),
            (b"\x93NUMPY", ""),
            (b"\x93NUMPY\x01\x00\x04\x00({[\n", ""),
            (npy(np.zeros((3, 5))), "weights_1 is float64"),
            (npy(np.zeros((5, 3), np.float32)), r"shape \(5, 3\)"),
            (npy(np.zeros((3, 5), ">f4")), "weights_1 is >f4"),
            (npy(np.zeros((3, 5), np.float32, order="F")), "Fortran order"),
            (npy(np.zeros((3, 5), np.float32))[:-1], "too few or too many"),
            (npy(np.zeros((3, 5), np.float32)) + b"0", "too few or too many"),
            (npy(np.full((3, 5), np.nan, np.float32)), "weights_1 holds nan"),
            (npy(np.full((3, 5), None), allow_pickle=True), "weights_1 is object"),
        ],
    )
    def test_arrays_that_make_no_sense(self, saved, member, message):
        rewrite(saved, {"weights_1.npy": member})
        with pytest.raises(ValueError, match=f"is damaged or cut short.*{message}"):
            cg.load(saved)

    def test_arrays_that_nobody_asked_for(self, saved):
        rewrite(saved, {"weights_2.npy": npy(np.zeros(3))})
        with pytest.raises(ValueError, match=r"it holds.*weights_2"):
            cg.load(saved)

    def test_two_members_that_share_their_bytes(self, saved):
        # One member, listed a thousand times in the directory under other names.
        with zipfile.ZipFile(saved, "a") as archive:
            info = archive.getinfo("weights_0.npy")
            for index in range(1000):
                twin = copy.copy(info)
                twin.filename = f"weights_{index + 5}.npy"
                archive.filelist.append(twin)
            archive._didModify = True
        with pytest.raises(ValueError, match="bytes of data in a file of"):
            cg.load(saved)

    def test_no_code_is_run(self, saved):
        ran = []

        class Trap:
            def __reduce__(self):
                return ran.append, (1,)

        rewrite(saved, {"weights_1.npy": npy(np.array([Trap()]), allow_pickle=True)})
        ran.clear()
        with pytest.raises(ValueError, match="is damaged or cut short"):
            cg.load(saved)
        assert ran == []


def test_the_format_is_the_one_that_old_files_have(saved):
    """A change of the format needs a new version, and old files must stay readable."""
    assert (storage.FORMAT, storage.VERSION) == ("cygrad network", 5)
    with np.load(saved) as file:
        header = json.loads(file["header"].tobytes())
    assert list(header) == [
        "format",
        "version",
        "cygrad",
        "standardized",
        "inputs",
        "layers",
        "loss",
        "reduction",
        "dtype",
        "classes",
    ]
    assert header["version"] == 1
    assert set(header["layers"][0]) == FIRST_KEYS
    assert header["layers"][0] == {
        "units": 5,
        "activation": "relu",
        "use_bias": False,
        "trainable": True,
    }


def format_of(net, path):
    """Return the version of the format that the network's file has."""
    net.save(path)
    with np.load(path) as file:
        return json.loads(file["header"].tobytes())["version"]


def squared_error(outputs, targets):
    errors = outputs - targets
    return (errors**2).sum(axis=1), 2 * errors


@pytest.mark.parametrize(
    ("loss", "activation", "version"),
    [
        ("mse", "identity", 1),
        ("hinge", "identity", 1),
        ("cross_entropy", "softmax", 1),
        (cg.losses.cross_entropy(), "softmax", 1),
        ("binary_cross_entropy", "sigmoid", 1),
        ("mae", "identity", 2),
        (cg.losses.huber(), "identity", 2),
        (cg.losses.huber(0.5), "identity", 2),
        (cg.losses.pinball([0.1, 0.9]), "identity", 2),
        ("gaussian_nll", "identity", 2),
        ("squared_hinge", "identity", 2),
        ("focal", "softmax", 2),
        ("kl_divergence", "softmax", 2),
        (cg.losses.cross_entropy(label_smoothing=0.1), "softmax", 2),
        (cg.losses.binary_cross_entropy(label_smoothing=0.1), "sigmoid", 2),
        (squared_error, "identity", 2),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value),
)
def test_losses_that_older_versions_cannot_read_have_format_2(loss, activation, version, path):
    net = Network(3, [Dense(2, activation)], loss=loss)
    assert format_of(net, path) == version
    assert cg.load(path, loss if loss is squared_error else None).loss == net.loss


@pytest.mark.parametrize(("factor", "version"), [(1, 1), (0.5, 2)])
def test_a_learning_rate_of_a_layer_has_format_2(factor, version, path):
    net = Network(3, [Dense(2, learning_rate_factor=factor)], loss="mse")
    assert format_of(net, path) == version


@pytest.mark.parametrize(
    ("layers", "version"),
    [
        ([cg.BatchNorm()], 2),
        ([cg.LayerNorm(learning_rate_factor=1)], 2),
        ([cg.BatchNorm(learning_rate_factor=2)], 4),
        ([cg.Scaling()], 4),
        ([cg.Residual([cg.Scaling(), Dense(3)])], 4),
    ],
)
def test_scaling_and_learning_rates_of_norms_have_format_4(layers, version, path):
    net = Network(3, [*layers, Dense(2)], loss="mse")
    assert format_of(net, path) == version
    assert repr(cg.load(path)) == repr(net)
