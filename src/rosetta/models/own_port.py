"""Holds one port against the standard of a check: pairs its parameters, runs it, judges it, finds where it parts."""

import contextlib
import dataclasses

import numpy as np

from rosetta.environments.client import Client
from rosetta.environments.worker import WorkerFailure
from rosetta.environments.written import LazyArrays
from rosetta.errors import RosettaError
from rosetta.models.own_causes import Parting, part_cause
from rosetta.models.own_modules import EXACT, ROUNDED, module_cause, paired_modules
from rosetta.models.own_optimizer import optimizer_check, trained_as
from rosetta.models.own_placing import best_placed
from rosetta.models.own_session import Asked, Carried, failed, opened, run
from rosetta.models.own_standard import Recording, Seen
from rosetta.models.own_training import Held, parted_in_training
from rosetta.networks.notation import OwnNetwork
from rosetta.proof.own.judge import judge, match_outputs, outputs_error, overall, yardstick
from rosetta.proof.own.layouts import image_shapes
from rosetta.proof.own.pairing import Pairing
from rosetta.proof.own.pairs_file import Given, as_recorded, cuts_as_recorded, given_pairing
from rosetta.proof.own.parting import parts
from rosetta.proof.own.proposals import proposals
from rosetta.proof.own.settle import Settled, settle
from rosetta.proof.own.surplus import surplus_biases
from rosetta.record.check import Dropout, PortCheck
from rosetta_worker.messages import Described

_SETTLED = 1e-6
"""With the right pairing the outputs of a port that is the same are as near as this, or as a few yardsticks."""
_YARDSTICKS = 5.0


def checked(
    network: OwnNetwork, seen: Seen, asked: Asked, given: Given | None, recording: Recording
) -> tuple[PortCheck, dict[str, str]]:
    """Hold one port against the standard; what fails is told in its result."""
    told = PortCheck(network=network.text, contender=network.contender.name)
    packages: dict[str, str] = {}
    try:
        with opened(network, asked) as (client, packages, described):
            told, held = _compared(told, network, client, described, seen, asked, given, recording)
            wrong = [q for q in told.quantities if q.verdict != "the same" and q.error is not None]
            if any(q.mode == "evaluation" and q.what == "output" for q in wrong):
                told = _parted(told, client, described, seen, recording)
            elif any(q.what in ("output", "gradient", "statistic") for q in wrong):
                told = parted_in_training(told, held, client, seen, recording)
            return told, packages
    except WorkerFailure as failure:
        error = failed(network, failure)
    except RosettaError as found:
        error = found
    return told.model_copy(update={"failure": error.cause, "remedy": error.remedy}), packages


def _compared(
    told: PortCheck,
    network: OwnNetwork,
    client: Client,
    described: Described,
    seen: Seen,
    asked: Asked,
    given: Given | None,
    recording: Recording,
) -> tuple[PortCheck, Held]:
    contender = network.contender
    expected = seen.standard.exact["evaluation"].outputs
    more = surplus_biases(seen.described.tensors, described.tensors) if given is None else []
    client.load_own_weights({tensor.path: np.zeros(tensor.shape, np.float32) for tensor in more})
    tensors = [tensor for tensor in described.tensors if tensor not in more]
    settled = _pair(client, dataclasses.replace(described, tensors=tensors), seen, asked, given, recording)
    pairing, notes = settled.pairing, []
    if not settled.complete:
        notes.append(
            f"{settled.tried} ways to pair its parameters were tried, and there are more, by which it may be the same. "
            "Give the right one with --pairs FILE; --save-pairs FILE writes the one that was taken."
        )
    if described.channels_last is not None:
        notes.append(
            f"It takes images channels {'last' if described.channels_last else 'first'}; it was given them so."
        )
    compared = pairing.carry(seen.arrays)
    asked.carried(Carried(pairing.carry(seen.own), compared, described.channels_last))
    client.load_own_weights(compared)
    outputs = client.own_outputs()
    matched = match_outputs(outputs, expected)
    if matched is None:
        raise RosettaError(
            f"The port gives {len(outputs)} outputs, the standard {len(expected)}: {', '.join(expected)}.",
            "Have both give the same.",
        )
    names = {name: own for name, own in zip(matched, outputs, strict=True)} if matched.keys() != outputs.keys() else {}
    factors = {names.get(name, name): array for name, array in seen.factors.items()}
    for name, array in seen.factors.items():
        if matched[name].shape != array.shape:
            raise RosettaError(
                f"The port's {name} has shape {matched[name].shape}, the standard's {array.shape}.",
                "Have both give the same shape.",
            )
    float32 = run(client, factors)
    trained = trained_as(client, described, seen, factors, asked)
    float64, trained64 = None, None
    if "to_float64" in client.abilities():
        try:
            client.to_float64()
            client.load_own_weights(pairing.carry(seen.arrays))
            float64, trained64 = run(client, factors), trained_as(client, described, seen, factors, asked)
        except WorkerFailure as failure:
            notes.append(f"It doesn't compute in float64, so that it was held in float32 alone: {failure}")
    else:
        notes.append(f"{contender.framework.title} was held in float32 alone: it has no float64 for this.")
    limits = network.tolerances or contender.tolerances
    quantities = judge(seen.standard, float32, float64, pairing, limits)
    optimizer, further = optimizer_check(described, seen, pairing, trained, trained64, asked, limits)
    quantities += further
    dropout = Dropout(standard=sorted(seen.drops), port=sorted(float32["training"].drops))
    verdict, precision = overall(quantities, dropout)
    in_evaluation, _ = overall([q for q in quantities if q.mode == "evaluation"])
    in_training, _ = overall([q for q in quantities if q.mode == "training"], dropout)
    if more:  # which have gradients and would be trained
        verdict = in_training = "not the same"
    checked = told.model_copy(
        update={
            "verdict": verdict,
            "in_evaluation": in_evaluation,
            "in_training": in_training,
            "precision": precision,
            "in_float64": float64 is not None,
            "paired_by": pairing.how,
            "pairings_tried": settled.tried,
            "pairs": as_recorded(pairing),
            "cuts": cuts_as_recorded(pairing),
            "surplus": [tensor.path for tensor in more],
            "quantities": quantities,
            "dropout": dropout,
            "optimizer": optimizer,
            "notes": notes,
        }
    )
    return checked, Held(pairing, float64 or float32, factors)


def _pair(
    client: Client, described: Described, seen: Seen, asked: Asked, given: Given | None, recording: Recording
) -> Settled:
    mine, other = seen.described.tensors, described.tensors
    if given is not None:
        return Settled(given_pairing(given, mine, other), 0, True)
    images = image_shapes([array.shape for array in asked.inputs])
    for one in (seen.described, described):
        images += image_shapes([call.shape for call in one.calls], channels_last=bool(one.channels_last))
    expected = seen.standard.exact["evaluation"].outputs
    possible = proposals(mine, other, seen.own, client.own_weights(), images)

    def error(pairing: Pairing) -> float:
        client.load_own_weights(pairing.carry(seen.arrays))
        return outputs_error(client.own_outputs(), expected)

    enough = max(_SETTLED, _YARDSTICKS * yardstick(seen.standard))
    settled = settle(possible, error, enough, images)
    if settled.agrees or "module_outputs" not in client.abilities():
        return settled
    with contextlib.suppress(WorkerFailure):  # which is met again, and told, where they are looked at next
        better = best_placed(client, described, seen, settled.pairing, images, error, recording)
        return dataclasses.replace(settled, pairing=better)
    return settled


def _parted(told: PortCheck, client: Client, described: Described, seen: Seen, recording: Recording) -> PortCheck:
    """Tell where in evaluation a port parts from the standard; it has the standard's weights."""
    if "module_outputs" not in client.abilities():
        return told
    file = recording.file.with_name("port.npz")
    try:
        client.module_outputs(file)
        with contextlib.closing(recording.made()) as mine, contextlib.closing(LazyArrays(file)) as other:
            limit = EXACT if told.in_float64 else ROUNDED
            calls, owners = seen.described.calls, paired_modules(told)
            listed, first, within = parts(calls, described.calls, owners, mine, other, limit)
            known = ""
            if first is not None and within and told.in_float64:
                partner = _number(described, listed[first].port)
                known = module_cause(calls[first].path, first, partner, seen, mine, other)
            if told.in_float64 and not known:
                output = next(iter(client.own_outputs().values()))
                known = part_cause(
                    Parting(
                        listed, first, within, seen, described, mine, other, recording.inputs, output, told.pairs, limit
                    )
                )
    except WorkerFailure as failure:
        note = f"Where it parts can't be told: {failure}"
        return told.model_copy(update={"notes": [*told.notes, note]})
    finally:
        file.unlink(missing_ok=True)
    return told.model_copy(update={"parts": listed, "parts_at": first, "parts_within": within, "cause": known})


def _number(described: Described, path: str | None) -> int | None:
    """Return the number of a module's call; None where it is called several times: then it isn't known which it is."""
    numbers = [number for number, call in enumerate(described.calls) if call.path == path]
    return numbers[0] if len(numbers) == 1 else None
