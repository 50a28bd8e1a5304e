"""The provisioner's decisions: which claims get a volume, which volumes go."""

from tests.cluster.api import JsonObject
from tests.cluster.layout import VOLUMES
from tests.cluster.provisioner import PROVISIONER, released_volumes, volume_for, waiting_claims


def claim(**changes: object) -> JsonObject:
    spec = {
        "storageClassName": "standard",
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    metadata = {"namespace": "bob", "name": "workspace", "uid": "u1"}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}, **changes}


def volume(phase: str, provisioner: str = PROVISIONER) -> JsonObject:
    annotations = {"pv.kubernetes.io/provisioned-by": provisioner}
    return {"metadata": {"name": "pvc-u1", "annotations": annotations}, "status": {"phase": phase}}


def test_a_pending_claim_of_our_class_waits() -> None:
    assert list(waiting_claims([claim()])) == [claim()]


def test_claims_that_are_bound_foreign_or_going_do_not_wait() -> None:
    bound = claim(status={"phase": "Bound"})
    foreign = claim(spec={"storageClassName": "fast"})
    going = claim(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})

    assert list(waiting_claims([bound, foreign, going])) == []


def test_a_volume_is_named_and_bound_by_its_claims_uid() -> None:
    spec = volume_for(claim(), "node-1")["spec"]

    assert spec["claimRef"]["uid"] == "u1"
    assert spec["hostPath"]["path"] == str(VOLUMES / "pvc-u1")
    assert spec["accessModes"] == ["ReadWriteMany"]


def test_only_our_released_volumes_go() -> None:
    volumes = [volume("Released"), volume("Bound"), volume("Released", provisioner="another")]

    assert list(released_volumes(volumes)) == ["pvc-u1"]
