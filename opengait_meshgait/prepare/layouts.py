"""How raw datasets lie on disk: what the names of folders say of identity, type and view; one entry a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_PREPARED = "<id>/<type>/<view>"


@dataclass(frozen=True, slots=True)
class RawLayout:
    """How one dataset lies on disk.

    Attributes:
        title: what the dataset is called.
        folders: where the folder of a sequence lies below the root, and what the sequence is called once it is
            prepared, as ``id/type/view``. ``<word>`` stands for a part of a folder's name. ``<n>`` is the number of a
            sequence among those of its person, in the order of their folders: 01, 02, ….
        words: the regular expression of each word; without one it is anything.
        example: the folder of one sequence, for messages.
        inside: the folder in that of a sequence that holds its pictures, where there is one.
        endings: of the pictures' names.
        pickle: the name of the pickle of normalised silhouettes, with ``*``, in folders that hold several.
        aligned: how pictures, which are normalised already, are brought to size (``linear``, ``cubic``); None where
            they are raw.
        bodies_folder: below the root; None where the dataset has no bodies of its own.
        bodies: where the bodies of a sequence lie in that folder, like ``folders``.
        bodies_example: one of them, for messages.
        trained_on: the regular expression of the ids of people to train on.
    """

    title: str
    folders: Mapping[str, str]
    example: str
    words: Mapping[str, str] = field(default_factory=dict)
    inside: str = ""
    endings: tuple[str, ...] = (".png",)
    pickle: str | None = None
    aligned: str | None = None
    bodies_folder: str | None = None
    bodies: Mapping[str, str] = field(default_factory=dict)
    bodies_example: str = ""
    trained_on: str = ".+"

    def describe(self) -> str:
        """The folders of sequences, and the first of them by an example."""
        return f"{' or '.join(self.folders)}, such as {self.example}"


LAYOUTS = {
    "gait3d": RawLayout(
        "Gait3D",  # Zheng et al., CVPR 2022
        {"2D_Silhouettes/<id>/<type>/<view>": _PREPARED},
        "2D_Silhouettes/0001/camid0_videoid2/seq0",
        bodies_folder="3D_SMPLs",
        bodies={_PREPARED: _PREPARED},
        bodies_example="0001/camid0_videoid2/seq0",
    ),
    "oumvlp": RawLayout(
        "OUMVLP",  # Takemura et al., 2018; OUMVLP-Mesh: Li et al., 2022
        {"Silhouette_<view>-<type>/<id>": _PREPARED},
        "Silhouette_090-00/00001",
        words={"view": r"\d{3}", "type": r"\d{2}", "mark": "[_-]"},
        bodies_folder="OUMVLP-Mesh",
        bodies={"<id>/<view><mark><type>": _PREPARED},
        bodies_example="00001/090_00",
    ),
    "casiab": RawLayout(
        "CASIA-B",  # Yu et al., ICPR 2006
        {_PREPARED: _PREPARED},
        "001/nm-01/090",
        words={"id": r"\d{3}", "type": r"(?:nm|bg|cl)-\d{2}", "view": r"\d{3}"},
    ),
    "casiae": RawLayout(
        "CASIA-E",  # Song et al., TPAMI 2022
        # As the evaluation names types; datasets/CASIA-E/README.md has underscores, the script beside it has not.
        {"<id>/<height>/<scene>/<walk>/<view>/<number>": "<id>/<height>-<scene>-<walk>-<number>/<view>"},
        "001/H/scene1/nm/090/1",
        words={
            "id": r"\d{3,4}",
            "height": "[A-Z]",
            "scene": r"scene\d\w*",
            "walk": "nm|bg|cl",
            "view": r"\d{3}",
            "number": r"\d+",
        },
        endings=(".jpg", ".png"),
        aligned="linear",
    ),
    "ccpg": RawLayout(
        "CCPG",  # Li et al., CVPR 2023
        {_PREPARED: _PREPARED},
        "000/U0_D0/00_0",
        words={"id": r"\d{3}", "type": r"U\d_D\d(?:_BG)?"},
        pickle="*-aligned-sils.pkl",
    ),
    "grew": RawLayout(
        "GREW",  # Zhu et al., ICCV 2021
        {
            "train/<id>/<view>": "<id>train/00/<view>",
            "test/gallery/<id>/<view>": "<id>/<n>/<view>",
            "test/probe/<view>": "probe/03/<view>",
        },
        "train/00001/4XPn5Z28",
        words={"id": r"\d{5}", "view": r"\w+"},
        aligned="linear",
        trained_on=".+train",
    ),
    "sustech1k": RawLayout(
        "SUSTech1K",  # Shen et al., CVPR 2023
        {_PREPARED: _PREPARED},
        "0000/00-nm/000",
        words={"id": r"\d{4}", "type": r"\d{2}-[a-z].*", "view": r"\d{3}.*"},
        inside="Sils_aligned",
        pickle="[0-9][0-9]-[0-9]*-Camera-Sils_aligned.pkl",  # and not those that are thinned to the LiDAR's frames
        aligned="cubic",
    ),
    "fvg": RawLayout(
        "FVG",  # Zhang et al., CVPR 2019; the release has colour frames, which are to be segmented
        {"session<session>/<id>_<video>": "<id>/session<session>-<video>/front"},
        "session1/001_02",
        words={"session": r"\d", "id": r"\d{3}", "video": r"\d{2}"},
    ),
    "generic": RawLayout("any other dataset", {_PREPARED: _PREPARED}, "0001/nm-01/090"),
}
"""By the name that ``meshgait prepare`` has for them."""
