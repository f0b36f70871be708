"""SHA-256 of files as their authors give them; checked when they are downloaded."""

from __future__ import annotations

# Data set -> file -> checksum.
SHA256: dict[str, dict[str, str]] = {
    "cora": {
        "ind.cora.x": "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
        "ind.cora.tx": "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
        "ind.cora.allx": "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
        "ind.cora.y": "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
        "ind.cora.ty": "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
        "ind.cora.ally": "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
        "ind.cora.graph": "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
        "ind.cora.test.index": "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    },
    "citeseer": {
        "ind.citeseer.x": "d20de19150741e555de0ed037195630fc194114ebc7fd72ced62810148aa22f6",
        "ind.citeseer.tx": "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21",
        "ind.citeseer.allx": "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668",
        "ind.citeseer.y": "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924",
        "ind.citeseer.ty": "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce",
        "ind.citeseer.ally": "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95",
        "ind.citeseer.graph": "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7",
        "ind.citeseer.test.index": (
            "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4"
        ),
    },
    "minesweeper": {
        "minesweeper.npz": "e664c8dacf1e8ac466c2c09ed4b237bd2c5541f47a6eae9c6092cb87f16412b3",
    },
    "telegram": {
        "telegram_adj.npz": "6a2f43521a946c0ef9b89fd1ebfd9f597b1b89e3d5a6c7a14a688160123f2de3",
        "telegram_labels.npy": "07d0ae8374c886f2eb6d295a73ed8c2a04e8bdea8979d8a2dc99ec606b0df7f1",
    },
    "chameleon_filtered_directed": {
        "chameleon_filtered_directed.npz": (
            "5a2d40701407188f1661d37a326484b49cc15251e0dedaa7bd380873dac80f21"
        ),
    },
    "brazil_airports": {
        "brazil-airports.edgelist": (
            "896b7bd460ad2da9160888d99bc9099ffe8ed7de3e410833889ea393831bcaa7"
        ),
        "labels-brazil-airports.txt": (
            "8f9d19f10192fbaeb91dfb46dd7eae0fef28bfe1272d41ab96a4494a0d06785f"
        ),
    },
    "europe_airports": {
        "europe-airports.edgelist": (
            "bd202178d0d1253c15bd3c9a22cc2a25f630244bbef9060bc30adbf0a5e130f6"
        ),
        "labels-europe-airports.txt": (
            "92bace031cc02937ac9629d6c69387458e5d5016a7dab98490fbf33e392cec4e"
        ),
    },
}


def sha256_of(name: str, file: str) -> str | None:
    """Return the checksum of a file of a data set, or None where none is known."""
    return SHA256.get(name, {}).get(file)
