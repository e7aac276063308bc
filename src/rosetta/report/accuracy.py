"""Says what loss and accuracy were reached, after how many samples, and which accuracy stands apart."""

from collections.abc import Sequence

from rosetta.record.result import ContenderResult, Protocol, WorkloadResult
from rosetta.report.numbers import number, percent
from rosetta.report.ranking import marked_name, ranked
from rosetta.report.sentences import is_synthetic, round_word
from rosetta.report.text import listed

DIFFERS = "its mean accuracy is farther from the others' than the spread between launches explains"


def samples_words(samples: Sequence[int], epoch_samples: int) -> str:
    """Write "3,000 samples (0.06 epochs)", or the range where an unfinished run has several numbers."""
    ends = sorted({min(samples), max(samples)})
    words = f"{' to '.join(f'{end:,}' for end in ends)} samples"
    if not epoch_samples:
        return words
    epochs = [f"{float(f'{end / epoch_samples:.2g}'):g}" for end in ends]
    return f"{words} ({' to '.join(epochs)} {'epoch' if epochs == ['1'] else 'epochs'})"


def accuracy_words(contender: ContenderResult) -> str:
    """Write the accuracy, marked with ≠ where it stands apart."""
    return f"{percent(contender.accuracy)}{' ≠' if contender.accuracy_differs else ''}"


def accuracy_in_full(contender: ContenderResult, workload: WorkloadResult) -> str:
    """Write the accuracy, after how many samples it was taken, and whether it stands apart."""
    words = percent(contender.accuracy)
    if contender.trained_samples is not None:
        words += f" after {samples_words([contender.trained_samples], workload.epoch_samples)}"
    return f"{words}; differs: {DIFFERS}" if contender.accuracy_differs else words


def differing_words(workload: WorkloadResult) -> str:
    """Name the contenders whose accuracy stands apart, and say what that means; empty if there are none."""
    names = [marked_name(contender) for contender in ranked(workload) if contender.accuracy_differs]
    if not names:
        return ""
    what = DIFFERS if len(names) == 1 else f"of each, {DIFFERS}"
    return f"Accuracy differs (≠): {listed(names)}; {what}."


def learning_words(workload: WorkloadResult, protocol: Protocol | None = None) -> str:
    """Say after how many samples loss and accuracy were taken, what the spread is, and what the source reached."""
    if not workload.trained and workload.standard:
        return "Prediction only: its files have no loss and make_optimizer by which it could be trained."
    if not workload.trained:
        return "Prediction only: nothing is trained. Latency is the median time of predicting one sample alone."
    sentences = []
    order = ranked(workload)
    found = [c for c in order if c.accuracy is not None and c.trained_samples is not None]
    if found:
        samples = [c.trained_samples for c in found if c.trained_samples is not None]
        values = [c.accuracy for c in found if c.accuracy is not None]
        span = list(dict.fromkeys((percent(min(values)), percent(max(values)))))
        alike = ", the same for all" if len(set(samples)) == 1 and len(found) > 1 else ""
        words = f"Test accuracy after {samples_words(samples, workload.epoch_samples)}{alike}: {' to '.join(span)}"
        if workload.accuracy_spread is not None:
            words += f"; between launches of one contender it scatters by {number(100 * workload.accuracy_spread, 2)}"
            words += " points (sd)"
        sentences.append(f"{words}.")
    if workload.reached:
        where = ", on the real data; this run's are not" if is_synthetic(workload) else ""
        sentences.append(f"Published: {workload.reached}{where}.")
    if differing := differing_words(workload):
        sentences.append(differing)
    ends = [max(chunk.trained_samples for chunk in c.chunks) for c in order if c.chunks]
    if ends:
        after = samples_words(ends, workload.epoch_samples)
        sentences.append(f"Loss: mean of the last {round_word(protocol)}, after {after}.")
    return " ".join(sentences)
