"""Objects of the wrong shape, and what must be said of them: types, bounds, names of fields."""

from __future__ import annotations

from tests.api.bodies import ABSENT, BOB, environment, job, text_input
from tests.api.cases import Case, inputs_job, publish_job

UNCHECKED = ("<nil>", "some validation rules were not checked")

BAD_SHAPES = [
    Case("no owner", job(owner=ABSENT), (("spec.owner", "Required value"), UNCHECKED)),
    Case("no store", environment(store=ABSENT), (("spec.store", "Required value"), UNCHECKED)),
    Case(
        "an input without a name",
        inputs_job({"uri": "https://example.org"}),
        (("spec.inputs[0].name", "Required value"), UNCHECKED),
    ),
    Case(
        "words too short for a market",
        publish_job(name="GPT", description="500 steps"),
        (
            ("spec.publish.name", "should be at least 4 chars long"),
            ("spec.publish.description", "should be at least 10 chars long"),
        ),
    ),
    Case("no nodes", job(nodes=0), (("spec.nodes", "should be greater than or equal to 1"),)),
    Case("many GPUs", job(gpusPerNode=65), (("spec.gpusPerNode", "less than or equal to 64"),)),
    Case(
        "an address without quotes",
        job(owner=int(BOB, 16) % 2**62),
        (("spec.owner", 'must be of type string: "integer"'), UNCHECKED),
    ),
    Case(
        "nodes as text",
        job(nodes="2"),
        (("spec.nodes", 'must be of type integer: "string"'), UNCHECKED),
    ),
    Case(
        "an unknown kind of input",
        inputs_job(text_input(kind="movie")),
        (("spec.inputs[0].kind", 'supported values: "model", "dataset", "file"'), UNCHECKED),
    ),
    Case(
        "a name of an input with a slash",
        inputs_job(text_input(name="../x")),
        (("spec.inputs[0].name", "should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'"),),
    ),
    Case(
        "a name of an input that ends a line",
        inputs_job(text_input(name="text\n")),
        (("spec.inputs[0].name", "should match"),),
    ),
    Case(
        "an empty name of an input",
        inputs_job(text_input(name="")),
        (("spec.inputs[0].name", "should be at least 1 chars long"),),
    ),
    Case(
        "an input that is no object",
        inputs_job(text_input(), "text"),
        (
            ("spec.inputs[1]", 'must be of type object: "string"'),
            ("spec.inputs[1]", "must be an object for an array of list-type map"),
            UNCHECKED,
        ),
    ),
    Case(
        "a number beyond 64 bits",
        job(owner=10**30),
        (("spec.owner", 'must be of type string: "number"'), UNCHECKED),
    ),
    Case(
        "an input that is null",
        inputs_job(None, text_input(), None),
        (
            ("spec.inputs[0]", 'must be of type object: "null"'),
            ("spec.inputs[2]", 'must be of type object: "null"'),
            ("spec.inputs[2]", "Duplicate value: {}"),
            UNCHECKED,
        ),
    ),
    Case(
        "two inputs of one name",
        inputs_job(text_input(), text_input()),
        (("spec.inputs[1]", 'Duplicate value: {"name":"text"}'),),
    ),
    Case(
        "a long name of an input",
        inputs_job(text_input(name="x" * 64)),
        (("spec.inputs[0].name", "Too long: may not be more than 63 bytes"), UNCHECKED),
    ),
    Case(
        "many inputs",
        inputs_job(*[text_input(name=f"i{n}") for n in range(33)]),
        (("spec.inputs", "Too many: 33: must have at most 32 items"), UNCHECKED),
    ),
    Case(
        "an empty uri",
        inputs_job(text_input(uri="")),
        (
            ("spec.inputs[0].uri", "should be at least 1 chars long"),
            ("spec.inputs[0].uri", "a uri starts with its scheme"),
        ),
    ),
    Case(
        "an unknown access mode",
        environment(workspace={"accessMode": "ReadOnlyMany"}),
        (("spec.workspace.accessMode", "supported values"), UNCHECKED),
    ),
]

UNKNOWN_FIELDS = [
    (job(image="x"), 'unknown field "spec.image"'),
    (inputs_job(text_input(checksum="x")), 'unknown field "spec.inputs[0].checksum"'),
    (publish_job(rewards="1"), 'unknown field "spec.publish.rewards"'),
    (environment(hardware={"gpus": 8}), 'unknown field "spec.hardware.gpus"'),
]
