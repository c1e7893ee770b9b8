"""Dense sets: rules, splits, the public file layouts on tiny made files, and the real files where they are."""

import gzip
from pathlib import Path

import numpy as np
import pytest

import spsnn
from spsnn import ConfigError, DataError
from spsnn.datasets import DenseSet, JointSet, batches, load
from spsnn.datasets.cifar10 import CLASS_NAMES, cifar10
from spsnn.datasets.imdb import imdb, tokens
from spsnn.datasets.mnist import mnist, read_idx

SHARED = Path(__file__).parents[3] / "shared" / "data"


def make(n=10, **changes):
    values = {"features": np.arange(3.0 * n).reshape(n, 3), "labels": np.arange(n) % 2, "class_names": ("a", "b")}
    return DenseSet(**{**values, **changes})


def test_pieces_keep_features_beside_their_labels():
    data = make()
    piece = data[np.array([7, 2])]
    assert isinstance(piece, DenseSet)
    assert piece.features.dtype == np.float32 and piece.labels.dtype == np.int64
    assert piece.features.tolist() == [[21, 22, 23], [6, 7, 8]]
    assert piece.labels.tolist() == [1, 0]
    assert data[3].features.tolist() == [[9, 10, 11]]
    seen = [row for b in batches(data, 4, shuffle=True, rng=0) for row in b.features[:, 0]]
    assert sorted(seen) == list(range(0, 30, 3)) and seen != sorted(seen)
    assert repr(data) == "<dense train: 10 samples of 3 features, 2 classes>"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": np.zeros(10)}, r"\[N, F\] or \[N, T, F\], got shape \(10,\)"),
        ({"labels": np.arange(9)}, "10 samples need as many whole labels"),
        ({"labels": np.zeros(10)}, r"got float64 \(10,\)"),
        ({"labels": np.full(10, 2)}, r"labels must lie in \[0, 2\), got 2"),
        ({"features": np.full((10, 3), np.nan)}, r"finite, got nan at \(0, 0\)"),
        ({"features": np.zeros((0, 3)), "labels": np.zeros(0, int)}, "no sample"),
    ],
)
def test_broken_rules_are_named(changes, words):
    with pytest.raises(DataError, match=words):
        make(**changes)


def test_plain_features_are_those_behind_the_spikes():
    points = load("yinyang_dense", "test")
    spikes = load("yinyang", "test", t_min=10.0, scale=30.0, bias=False)
    assert np.array_equal(points.labels, spikes.events.labels)
    # One spike per feature at t_min + scale v.
    order = np.lexsort((spikes.events.units, np.repeat(np.arange(1000), 4)))
    times = spikes.events.times[order].reshape(1000, 4)
    assert np.allclose(points.features, (times - 10) / 30, atol=1e-6)
    centred = load("yinyang_dense", "test", centred=True)
    assert np.array_equal(centred.features, points.features - np.float32(0.5))
    with pytest.raises(ConfigError, match="centred must be true or false, got 'yes'"):
        load("yinyang_dense", "test", centred="yes")
    digits = load("digits_dense", "train")
    assert digits.features.shape == (1079, 64) and digits.features.max() == 1


def test_noise_splits_are_independent():
    train, test = load("noise", "train", dim=200), load("noise", "test", dim=200)
    assert train.features.shape == (256, 200) and train.n_classes == 4
    assert abs(np.corrcoef(train.features.ravel(), test.features.ravel())[0, 1]) < 0.02
    assert np.array_equal(train.features, load("noise", "train", dim=200).features)
    with pytest.raises(ConfigError, match="noise: n must be a whole number of at least 1, got 0"):
        load("noise", "train", n=0)


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


@pytest.fixture
def mnist_dir(tmp_path):
    rng = np.random.default_rng(0)
    for part, n, end in (("train", 40, ".gz"), ("t10k", 6, "")):
        images, labels = rng.integers(0, 256, (n, 28, 28)), np.arange(n) % 10
        images[:, 0, 0] = np.arange(n)  # tells samples apart
        write_idx(tmp_path / "MNIST" / "raw" / f"{part}-images-idx3-ubyte{end}", images)
        write_idx(tmp_path / "MNIST" / "raw" / f"{part}-labels-idx1-ubyte{end}", labels)
    return tmp_path


def test_mnist_reads_idx_files_and_holds_out_a_share_of_every_class(mnist_dir):
    train, validation = (mnist(s, data_dir=mnist_dir, n_validation=10) for s in ("train", "validation"))
    ids = [np.rint(255 * d.features[:, 0]).astype(int).tolist() for d in (train, validation)]
    assert sorted(ids[0] + ids[1]) == list(range(40))
    assert np.bincount(validation.labels).tolist() == [1] * 10
    assert [k % 10 for k in ids[0]] == train.labels.tolist()
    assert len(mnist("train", data_dir=mnist_dir, n_validation=0)) == 40
    rows = load("sequential_mnist", "test", mnist_dir)
    assert rows.features.shape == (6, 28, 28)
    assert np.array_equal(rows.features.reshape(6, -1), load("mnist", "test", mnist_dir).features)
    with pytest.raises(ConfigError, match="n_validation=0 leaves no validation set"):
        mnist("validation", data_dir=mnist_dir, n_validation=0)


def test_damaged_idx_files_are_named(tmp_path, monkeypatch):
    path = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    with pytest.raises(DataError, match=r"there is no file .*t10k-images-idx3-ubyte"):
        mnist("test", data_dir=tmp_path)
    monkeypatch.delenv("SPSNN_DATA", raising=False)
    with pytest.raises(DataError, match="MNIST needs a data directory"):
        mnist("test")
    write_idx(path, np.zeros((3, 28, 28)))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"cut off: shape \(3, 28, 28\) needs 2352 values, it has 2351"):
        read_idx(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="not an IDX file"):
        read_idx(path)
    path.with_suffix(".gz").write_bytes(b"\x1f\x8bxx")
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(path.with_suffix(".gz"))


def test_cifar10_binary_version(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    pixels, labels = rng.integers(0, 256, (60, 3072), np.uint8), (np.arange(60) % 10).astype(np.uint8)
    records = np.concatenate([labels[:, None], pixels], 1)
    for k in range(5):
        records[10 * k : 10 * k + 10].tofile(folder / f"data_batch_{k + 1}.bin")
    records[50:].tofile(folder / "test_batch.bin")
    train = cifar10("train", data_dir=tmp_path, n_validation=0)
    assert np.array_equal(train.labels, labels[:50])
    assert np.array_equal(np.rint(255 * train.features), pixels[:50])
    assert cifar10("test", data_dir=tmp_path).class_names == CLASS_NAMES
    (folder / "test_batch.bin").write_bytes(b"\x00" * 3072)
    with pytest.raises(DataError, match="3072 bytes are no multiple of 3073"):
        cifar10("test", data_dir=tmp_path)


def test_cifar10_image_folders(tmp_path):
    from PIL import Image

    for k, name in enumerate(CLASS_NAMES):
        folder = tmp_path / "cifar10_jpg" / "test" / name
        folder.mkdir(parents=True)
        image = np.zeros((32, 32, 3), np.uint8)
        image[..., 0], image[16:, :, 2] = 20 * k, 200  # red tells the class, the lower half is blue
        Image.fromarray(image).save(folder / "0000.jpg", quality=100, subsampling=0)
    test = cifar10("test", data_dir=tmp_path)
    assert test.labels.tolist() == list(range(10))
    planes = 255 * test.features.reshape(10, 3, 32, 32)
    assert np.allclose(planes[:, 0].mean((1, 2)), 20 * np.arange(10), atol=3)
    assert planes[:, 2, :14].max() < 30 and planes[:, 2, 18:].min() > 170
    assert "JPEG copy" in test.provenance["source"]
    Image.new("RGB", (31, 32)).save(folder / "0001.jpg")
    with pytest.raises(DataError, match="must have 32 x 32 pixels, it has 31 x 32"):
        cifar10("test", data_dir=tmp_path)
    (folder / "0001.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"0001.jpg is not an image"):
        cifar10("test", data_dir=tmp_path)
    with pytest.raises(DataError, match="there is neither"):
        cifar10("train", data_dir=tmp_path)


REVIEWS = {
    "train/pos/0_9.txt": "Good good FILM.<br />Didn't hate it",
    "train/pos/1_8.txt": "good plot",
    "train/neg/0_2.txt": "bad film, bad plot",
    "train/neg/1_1.txt": "bad",
    "test/pos/0_9.txt": "good unseen film",
    "test/neg/0_1.txt": "plot bad bad plot",
}


@pytest.fixture
def imdb_dir(tmp_path):
    for name, text in REVIEWS.items():
        path = tmp_path / "aclImdb" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_imdb_vocabulary_comes_from_training_reviews_by_frequency(imdb_dir):
    # Counts: bad 3, good 3, film 2, plot 2, then words that occur once; ties by alphabet.
    assert tokens("Didn't<br />see 2") == ["didn't", "see", "2"]
    bag = imdb("test", data_dir=imdb_dir, n_words=4)
    assert bag.labels.tolist() == [0, 1]
    assert bag.features.tolist() == [[1, 0, 0, 1], [0, 1, 1, 0]]
    ids = imdb("test", data_dir=imdb_dir, n_words=4, form="sequence", length=3)
    assert ids.features.tolist() == [[1, 1, 4], [0, 2, 3]]
    train = imdb("train", data_dir=imdb_dir, n_words=4, n_validation=2)
    assert np.bincount(train.labels).tolist() == [1, 1]


def test_wrong_reviews_are_named(imdb_dir):
    with pytest.raises(ConfigError, match="form must be one of bag, sequence"):
        imdb("test", data_dir=imdb_dir, form="tree")
    (imdb_dir / "aclImdb" / "test" / "neg" / "0_1.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"0_1.txt cannot be read"):
        imdb("test", data_dir=imdb_dir)
    (imdb_dir / "aclImdb" / "test" / "neg" / "0_1.txt").unlink()
    with pytest.raises(DataError, match=r"no reviews .*test/neg"):
        imdb("test", data_dir=imdb_dir)


def test_a_joint_set_counts_classes_through_and_keeps_rows_together():
    first, second = make(6), make(4, features=np.arange(8.0).reshape(4, 2), class_names=("x", "y", "z"))
    data = JointSet([first, second])
    assert len(data) == 10 and data.n_classes == 5
    assert data.labels.tolist() == [0, 1, 0, 1, 0, 1, 2, 3, 2, 3]
    piece = data[np.array([7, 1, 9])]
    assert piece.labels.tolist() == [1, 3, 3]
    assert piece.parts[0].tolist() == [[3, 4, 5]] and piece.parts[1].tolist() == [[2, 3], [6, 7]]
    assert [len(p) for p in data[8:].parts] == [0, 2]
    assert [p.tolist() for p in data[6:][1:].parts] == [[], [[2, 3], [4, 5], [6, 7]]]
    confusion = np.diag([3, 1, 2, 0, 0])
    confusion[0, 1] = confusion[3, 4] = 2
    assert data.accuracies(confusion) == {"dense_accuracy": 0.5}  # the second of two sets of one name stands
    assert JointSet([first]).accuracies(confusion[:2, :2]) == {"dense_accuracy": pytest.approx(4 / 6)}
    with pytest.raises(ConfigError, match="joint: tasks must be sets of features, got shd"):
        load("joint", "train", tasks={"shd": {}})


def test_unknown_options_of_dense_sets_are_named():
    with pytest.raises(ConfigError, match="'mnist' has no option 'row'; did you mean 'rows'"):
        load("mnist", "train", row=True)


def test_the_real_mnist(tmp_path):
    if not (SHARED / "mnist").is_dir():
        pytest.skip("the MNIST files are not here")
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "raw").symlink_to(SHARED / "mnist")
    test = mnist("test", data_dir=tmp_path)
    assert test.features.shape == (10000, 784)
    # Known of the canonical files: counts of the test classes, and the mean brightness of training images.
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    train, validation = (mnist(s, data_dir=tmp_path) for s in ("train", "validation"))
    assert (len(train), len(validation)) == (55000, 5000)
    both = np.concatenate([train.features, validation.features])
    assert both.mean(dtype=float) == pytest.approx(0.1307, abs=5e-5)


def test_the_real_cifar10(tmp_path):
    archive = SHARED / "cifar10_jpg" / "cifar10_jpg.tar.gz"
    if not archive.is_file():
        pytest.skip("the CIFAR-10 images are not here")
    import tarfile

    with tarfile.open(archive) as files:
        # 20 images of each class, without reading the whole archive
        wanted = (m for m in files if m.isdir() or int(Path(m.name).stem) < 20)
        chosen = []
        for member in wanted:
            if member.isfile() and not member.name.startswith("test/"):
                break
            chosen.append(member)
        files.extractall(tmp_path / "cifar10_jpg", members=chosen, filter="data")
    test = cifar10("test", data_dir=tmp_path)
    assert np.bincount(test.labels, minlength=10).tolist() == [20] * 10
    assert 0.4 < test.features.mean() < 0.55  # 0.473 over the whole set


def test_fit_refuses_spikes_settings_for_features():
    data = make(20)
    model = spsnn.SpatialPriorMLP([3, 4, 2])
    with pytest.raises(ConfigError, match="rescue is about spikes"):
        spsnn.fit(model, data, None, spsnn.TrainingConfig(epochs=1, rescue=0.1))
