"""Body files: the shipped stand-in and SMPL-format files of the user's own."""

import pickle
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from opengait_meshgait.body.layout import NUM_BETAS, NUM_JOINTS
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.smplx import SMPLX_JOINTS, reduce_smplx
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.files import ArrayUnpickler, read_pickle
from opengait_meshgait.common.npz import read_npz

REQUIRED = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
OPTIONAL = ("posedirs", "mirror", "betas_samples")
SMPL_MIRROR = "vert_sym_idxs"
"""Under which name SMPL's own files keep what ``mirror`` is here."""
WANTED = (*REQUIRED, *OPTIONAL, SMPL_MIRROR, "name", "licence")
INTEGERS = ("kintree_table", "f", "mirror")
WITHOUT_SMPL = (
    "SMPL's own files (SMPL_NEUTRAL.pkl) can be downloaded from https://smpl.is.tue.mpg.de after registration. To try "
    "things without, write 'body: null' in a config's model_cfg.body_cfg, or leave --body out: that is the stand-in "
    "body of this package."
)


def load_body(source: str | Path | None = None) -> BodyModel:
    """Read a body.

    Args:
        source: an ``.npz`` or ``.pkl`` in SMPL's format, for example ``SMPL_NEUTRAL.pkl`` as its makers hand it out
            (chumpy is not needed). Of more than ten shape components the first ten are used; ``posedirs`` may be
            absent. A body of SMPL-X is taken too, with fingers and face at rest. None is the stand-in body that ships
            with the package.

    Raises:
        UserError: not a file, not of these kinds, or its arrays are missing, misshapen or make no body.
    """
    if source is None:
        with as_file(files("opengait_meshgait") / "assets" / "standin.npz") as path:
            return load_body(path)
    path = Path(source)
    suffix = path.suffix.lower()
    if not path.is_file():
        what, folder = ("it is a folder", path) if path.is_dir() else ("nothing is there", path.parent)
        near = [p.name for p in folder.glob("*") if p.suffix.lower() in (".npz", ".pkl")]
        hint = did_you_mean(path.name, near) if near else "Give the path of an SMPL-format .npz or .pkl."
        raise UserError(f"No body file at {path}: {what}. {hint} {WITHOUT_SMPL}")
    if suffix == ".npz":
        try:
            content = read_npz(path, WANTED)
        except ValueError as error:
            raise UserError(f"Cannot read {path}: {error}. Save it again with np.savez, as plain arrays.") from error
    elif suffix == ".pkl":
        content = read_pickle(path, BodyUnpickler, encoding="latin1")
    else:
        raise UserError(f"{path} ends in '{path.suffix}': body files are .npz or .pkl.")
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__}, not a dictionary of arrays: is it a body file?")
    missing = [key for key in REQUIRED if key not in content]
    if missing:
        raise UserError(
            f"{path} lacks {', '.join(missing)}. It holds: {', '.join(sorted(map(str, content))) or 'nothing'}. "
            "Use a body file in SMPL's format."
        )
    arrays = {key: _to_array(content[key], key, path) for key in (*REQUIRED, *OPTIONAL) if key in content}
    is_smplx = arrays["J_regressor"].ndim == 2 and len(arrays["J_regressor"]) == SMPLX_JOINTS
    _check_shapes(arrays, path, SMPLX_JOINTS if is_smplx else NUM_JOINTS)
    if is_smplx:
        arrays = reduce_smplx(arrays)
    _check_values(arrays, path)
    if "mirror" not in arrays and _is_mirror(pairs := content.get(SMPL_MIRROR), len(arrays["v_template"])):
        arrays["mirror"] = np.array(pairs, np.int64)
    arrays["shapedirs"] = arrays["shapedirs"][..., :NUM_BETAS]
    return BodyModel(
        arrays,
        name=str(content.get("name", path.stem)),
        licence=str(content.get("licence", "not stated in the file")),
        shape_space="SMPL-X" if is_smplx else "SMPL",
    )


class ChumpyArray:
    """What an array of chumpy, a library that new Pythons cannot run, becomes when a pickle is read without it."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        state = vars(self)
        if "x" in state:
            value = np.asarray(state["x"])
        elif {"a", "idxs", "preferred_shape"} <= state.keys():  # chumpy.reordering: elements of another array
            value = np.asarray(state["a"]).ravel()[state["idxs"]].reshape(state["preferred_shape"])
        else:
            raise ValueError(f"a chumpy object with {', '.join(sorted(state))} holds no array")
        return value.astype(dtype or value.dtype)


class BodyUnpickler(ArrayUnpickler):
    """Reads SMPL's pickles: arrays, sparse matrices and, as :class:`ChumpyArray`, chumpy's arrays. No code runs."""

    # How Python 2 pickled objects (protocols 0 and 1), and the sets among chumpy's attributes.
    PLAIN = {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")} | {
        (module, name) for module in ("__builtin__", "builtins") for name in ("object", "set")
    }
    SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "chumpy":
            return ChumpyArray
        if module.startswith("scipy.sparse") and name in self.SPARSE:
            # Not above: the shipped body needs no SciPy, which takes long to load. It keeps renaming the modules below.
            from scipy import sparse

            return getattr(sparse, name)
        if (module, name) in self.PLAIN:
            return pickle.Unpickler.find_class(self, module, name)
        return super().find_class(module, name)


def _is_mirror(pairs: Any, num_vertices: int) -> bool:
    """Whether this optional entry is a permutation as its name says; else the nearest vertices are taken."""
    if not isinstance(pairs, np.ndarray) or pairs.dtype.kind not in "iu" or pairs.shape != (num_vertices,):
        return False
    own = np.arange(num_vertices)
    return np.array_equal(np.sort(pairs), own) and np.array_equal(pairs[pairs], own)


def _to_array(value: Any, key: str, path: Path) -> np.ndarray:
    try:
        if hasattr(value, "toarray"):  # a sparse matrix
            value = value.toarray()
        return np.array(value, np.int64 if key in INTEGERS else np.float32)
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(f"{key} in {path} is not an array of numbers: {error}.") from error


def _check_shapes(arrays: Mapping[str, np.ndarray], path: Path, joints: int) -> None:
    """Compare with what the format says of a body of so many joints."""
    num_joints = len(arrays["J_regressor"]) if arrays["J_regressor"].ndim == 2 else joints
    if num_joints != joints:
        raise UserError(
            f"{path} is a body of {num_joints} joints; {NUM_JOINTS} (SMPL) or {SMPLX_JOINTS} (SMPL-X) are expected. "
            "Files of SMPL+H have others: use one of SMPL."
        )
    if arrays["shapedirs"].ndim == 3 and arrays["shapedirs"].shape[2] < NUM_BETAS:
        raise UserError(
            f"{path} has {arrays['shapedirs'].shape[2]} shape components; {NUM_BETAS} or more are expected."
        )
    num_vertices = len(np.atleast_1d(arrays["v_template"]))
    expected = {
        "v_template": (num_vertices, 3),
        "shapedirs": (num_vertices, 3, None),
        "J_regressor": (joints, num_vertices),
        "weights": (num_vertices, joints),
        "kintree_table": (2, joints),
        "f": (None, 3),
        "posedirs": (num_vertices, 3, 9 * (joints - 1)),
        "mirror": (num_vertices,),
        "betas_samples": (None, NUM_BETAS),
    }
    for key, array in arrays.items():
        shape = expected[key]
        if array.ndim != len(shape) or any(want not in (None, have) for have, want in zip(array.shape, shape)):
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise UserError(
                f"{key} in {path} has shape {[*array.shape]}; expected [{wanted}] for {num_vertices} vertices "
                f"(as v_template says) and {joints} joints. Its arrays do not belong together."
            )


def _check_values(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """What has the right shape may still be no body."""
    for key, array in arrays.items():
        bad = array.size - np.isfinite(array).sum()
        if bad:
            raise UserError(f"{key} in {path} has {bad} values that are not finite. Get the file again.")
    num_vertices = len(arrays["v_template"])
    if not (arrays["f"].size and arrays["f"].min() >= 0 and arrays["f"].max() < num_vertices):
        raise UserError(f"f in {path} must hold indices of vertices, 0 to {num_vertices - 1}.")
    for joint, parent in enumerate(arrays["kintree_table"][0, 1:], start=1):
        if not 0 <= parent < joint:
            raise UserError(
                f"kintree_table in {path} is no tree in order: joint {joint} has parent {parent}; "
                f"expected one of 0 to {joint - 1}."
            )
    for key in ("weights", "J_regressor"):
        sums = arrays[key].sum(1, dtype=np.float64)
        worst = np.abs(sums - 1).argmax()
        if abs(sums[worst] - 1) > 1e-2:
            raise UserError(f"Row {worst} of {key} in {path} sums to {sums[worst]:.3f}; expected 1.")
    if "mirror" in arrays and not np.array_equal(np.sort(arrays["mirror"]), np.arange(num_vertices)):
        raise UserError(f"mirror in {path} must hold each of 0 to {num_vertices - 1} once.")
