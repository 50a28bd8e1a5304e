"""Train: load, score what is held out, train, score again, save the model and the report."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import torch

from algorithms.shared.failures import BadParameter, EmptyDataset, OutOfMemory
from algorithms.shared.inputs import Task
from algorithms.shared.language_model import LanguageModel, load
from algorithms.shared.progress import Progress
from algorithms.shared.ranks import Ranks, joined_ranks
from algorithms.shared.scoring import Score, score_texts, total
from algorithms.shared.text import Sample, read_samples
from algorithms.train.blocks import pack, stream_of
from algorithms.train.loop import StepRecord, Trainer
from algorithms.train.outputs import Result, write_outputs
from algorithms.train.parameters import TrainParameters

DEFAULT_BLOCK_LENGTH = 512


def run(task: Task[TrainParameters]) -> None:
    """Raises the failures of algorithms.shared.failures."""
    with joined_ranks(task.parameters.seed) as ranks:
        try:
            _run(task, ranks)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                "The GPU's memory is too small: raise gradientAccumulation, or lower blockLength "
                f"or batchSize ({error})."
            ) from error


def _run(task: Task[TrainParameters], ranks: Ranks) -> None:
    parameters = task.parameters
    _check_batch(parameters, ranks)
    samples = read_samples(task.file_input("text"))
    training, held_out = split(samples, parameters.held_out_samples, parameters.seed)
    model = load(task.model(), ranks.device, torch.float32)
    length = model.window(parameters.block_length, DEFAULT_BLOCK_LENGTH)
    before = _score(model, held_out, length, ranks)
    started_at = time.monotonic()
    records = _train(model, training, length, parameters, ranks)
    seconds = time.monotonic() - started_at
    after = _score(model, held_out, length, ranks)
    if ranks.is_first:
        write_outputs(task, model, Result(records, before, after, seconds, len(training)))


def split(samples: Sequence[Sample], held_out: int, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Training and held-out samples: at most a tenth, chosen by the seed, is held out."""
    count = min(held_out, len(samples) // 10)
    chosen = set(random.Random(seed).sample(range(len(samples)), count))
    training = [sample for index, sample in enumerate(samples) if index not in chosen]
    return training, [samples[index] for index in sorted(chosen)]


def _check_batch(parameters: TrainParameters, ranks: Ranks) -> None:
    least = ranks.world_size * parameters.gradient_accumulation
    if parameters.batch_size < least:
        raise BadParameter(
            f"Parameter batchSize: {parameters.batch_size} is less than {least}, one block for "
            f"each of {ranks.world_size} ranks x {parameters.gradient_accumulation} "
            "gradientAccumulation."
        )


def _score(
    model: LanguageModel, held_out: Sequence[Sample], length: int, ranks: Ranks
) -> Score | None:
    texts = [sample.text for sample in held_out]
    return total(score_texts(model, texts, length, ranks)) if texts else None


def _train(
    model: LanguageModel,
    training: Sequence[Sample],
    length: int,
    parameters: TrainParameters,
    ranks: Ranks,
) -> list[StepRecord]:
    stream = stream_of(model, [sample.text for sample in training])
    if len(stream) < 2:
        raise EmptyDataset("The text has fewer than two tokens: there is nothing to predict.")
    blocks = pack(stream, length)
    progress = Progress(parameters.steps, enabled=ranks.is_first)

    def report(record: StepRecord) -> None:
        figures = {"loss": record.loss, "learningRate": record.learning_rate}
        progress.report(record.step, figures)

    return Trainer(model.network, blocks, parameters, ranks).run(report)
