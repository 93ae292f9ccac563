"""Forward passes in process, beside the peers; they and the peers take turns."""
import statistics

from benchmarks.figures import KAS_BENCH, SHAPES, Dialogue


def take_turns(runners, rounds):
    """runners: by name, what runs for a while and gives {"us", "best_us", "processor_us"}. All take turns; by name, what each turn gave."""
    turns = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            turns[name].append(run())
    return turns


def fastest(others, value):
    return min(others, key=lambda name: value(others[name]), default=None)


def compare_medians(figures, label, ours, others):
    """The median of the turns' medians; beside the fastest peer, the median of what each turn is of that peer's in the same round, as on a
    shared machine the next round may be another."""
    def middle(turns):
        return statistics.median(turn["us"] for turn in turns)

    peer = fastest(others, middle)
    ratio = statistics.median(mine["us"] / other["us"] for mine, other in zip(ours, others[peer])) if peer else None
    figures.add(label, middle(ours), "µs", peer, ratio=ratio)
    for name, turns in others.items():
        figures.add(f"    {name}", middle(turns), "µs")


def compare_least(figures, label, kind, ours, others):
    def least(turns):
        return min(turn[kind] for turn in turns)

    peer = fastest(others, least)
    figures.add(label, least(ours), "µs", peer, least(others[peer]) if peer else None)


def compare_forward(figures, artifacts, options, peers, case):
    threads, seeds, rows, inputs, outputs = case
    dialogue = Dialogue(KAS_BENCH, "forward", artifacts, *case)
    runners = {"kasmina": lambda: dialogue.ask(options.milliseconds)}
    for name in peers.ask("make", *case) if peers else ():
        runners[name] = lambda name=name: peers.ask("run", name, options.milliseconds)
    others = take_turns(runners, options.rounds)
    dialogue.close()
    ours = others.pop("kasmina")
    label = f"forward {rows}x{inputs}x{outputs}, {seeds} seeds, {threads} threads"
    compare_medians(figures, label, ours, others)
    compare_least(figures, f"{label}, best", "best_us", ours, others)
    if threads == 1:
        compare_least(figures, f"{label}, processor time", "processor_us", ours, others)


def measure(figures, artifacts, options, peers):
    for threads in options.threads:
        for seeds in options.seeds:
            for shape in SHAPES:
                if not options.rows or shape[0] in options.rows:
                    compare_forward(figures, artifacts, options, peers, (threads, seeds, *shape))
