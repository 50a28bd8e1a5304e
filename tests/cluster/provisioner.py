"""Gives every claim of class `standard` a folder of the node, and deletes it with the claim.

`python -m tests.cluster.provisioner NODE [COMMAND…]`: COMMAND is what runs a program on the node,
where the node isn't this machine. A level-triggered loop: what to do follows from the claims and
volumes as they are, never from what this process remembers, so it can be killed at any point.
"""

import http.client
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.api import ApiClient, ApiError, JsonObject
from tests.cluster.errors import ClusterError
from tests.cluster.layout import KUBECONFIG, VOLUMES
from tests.cluster.shell import run

PROVISIONER = "posthuman.network/test-storage"
STORAGE_CLASS = "standard"
PERIOD_SECONDS = 0.3
CONFLICT_OR_GONE = (404, 409)
VOLUMES_PATH = "/api/v1/persistentvolumes"
CLAIMS_PATH = "/api/v1/persistentvolumeclaims"


@dataclass(frozen=True)
class Node:
    """The machine whose folders become volumes, and how a program is run on it."""

    name: str
    run_there: Sequence[str]

    def make_folder(self, folder: Path) -> None:
        """Make a folder that any pod can write to: they are non-root, with any user id."""
        run(*self.run_there, "mkdir", "-p", folder)
        run(*self.run_there, "chmod", "0777", folder)

    def delete_folder(self, folder: Path) -> None:
        run(*self.run_there, "rm", "-rf", folder)


def main() -> None:
    """Look, act, look again; a lost connection is made anew."""
    node = Node(sys.argv[1], sys.argv[2:])
    while True:
        client = ApiClient(KUBECONFIG)
        try:
            while True:
                reconcile(client, node)
                time.sleep(PERIOD_SECONDS)
        except (OSError, http.client.HTTPException, ApiError, ClusterError) as error:
            print(f"trying again in a second: {error}", flush=True)
            time.sleep(1)
        finally:
            client.close()


def reconcile(client: ApiClient, node: Node) -> None:
    """Make the volumes that claims wait for; remove those whose claim is gone."""
    for claim in waiting_claims(client.request("GET", CLAIMS_PATH)["items"]):
        node.make_folder(_folder(_volume_name(claim)))
        _tell(client, "POST", VOLUMES_PATH, volume_for(claim, node.name))
    for name in released_volumes(client.request("GET", VOLUMES_PATH)["items"]):
        node.delete_folder(_folder(name))
        _tell(client, "DELETE", f"{VOLUMES_PATH}/{name}")


def waiting_claims(claims: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Claims of our class that have no volume yet."""
    for claim in claims:
        ours = claim["spec"].get("storageClassName") == STORAGE_CLASS
        waiting = claim["status"].get("phase") == "Pending" and not claim["spec"].get("volumeName")
        if ours and waiting and "deletionTimestamp" not in claim["metadata"]:
            yield claim


def released_volumes(volumes: Iterable[JsonObject]) -> Iterator[str]:
    """Names of our volumes whose claim is gone."""
    for volume in volumes:
        annotations = volume["metadata"].get("annotations") or {}
        ours = annotations.get("pv.kubernetes.io/provisioned-by") == PROVISIONER
        deleting = "deletionTimestamp" in volume["metadata"]
        if ours and not deleting and volume["status"].get("phase") == "Released":
            yield volume["metadata"]["name"]


def volume_for(claim: JsonObject, node_name: str) -> JsonObject:
    """The volume for a claim, bound to it by name and uid from the start."""
    name = _volume_name(claim)
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **{key: metadata[key] for key in ("namespace", "name", "uid")},
            },
            "hostPath": {"path": str(_folder(name)), "type": "Directory"},
            "nodeAffinity": _only_on(node_name),
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "volumeMode": "Filesystem",
        },
    }


def _only_on(node_name: str) -> JsonObject:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node_name]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}


def _volume_name(claim: JsonObject) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def _folder(volume_name: str) -> Path:
    return VOLUMES / volume_name


def _tell(client: ApiClient, method: str, path: str, body: JsonObject | None = None) -> None:
    """Send one change; a world that moved on meanwhile is looked at again in the next pass."""
    try:
        client.request(method, path, body)
        print(f"{method} {path}", flush=True)
    except ApiError as error:
        if error.status not in CONFLICT_OR_GONE:
            raise


if __name__ == "__main__":
    main()
