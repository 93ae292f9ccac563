"""Forward passes in process, beside the peers; they and the peers take turns."""
import statistics

from benchmarks.figures import KAS_BENCH, SHAPES, Dialogue


def take_turns(runners, rounds):
    """runners: by name, what runs for a while and gives {"us", "best_us", "processor_us"}. All take turns; by name, the median of the
    rounds' medians, the shortest of all, and the least processor time."""
    results = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            results[name].append(run())
    return {name: (statistics.median(one["us"] for one in many), min(one["best_us"] for one in many), min(one["processor_us"] for one in many))
            for name, many in results.items()}


def compare_forward(figures, artifacts, options, peers, case):
    threads, seeds, rows, inputs, outputs = case
    ours = Dialogue(KAS_BENCH, "forward", artifacts, *case)
    runners = {"kasmina": lambda: ours.ask(options.milliseconds)}
    for name in peers.ask("make", *case) if peers else ():
        runners[name] = lambda name=name: peers.ask("run", name, options.milliseconds)
    results = take_turns(runners, options.rounds)
    ours.close()
    kinds = ["", ", best"] + [", processor time"] * (threads == 1)
    for at, kind in enumerate(kinds):
        own, *others = [(result[at], name) for name, result in results.items()]
        fastest = min(others, default=(None, None))
        figures.add(f"forward {rows}x{inputs}x{outputs}, {seeds} seeds, {threads} threads{kind}", own[0], "µs", fastest[1], fastest[0])
        for value, name in others if at == 0 else ():
            figures.add(f"    {name}", value, "µs")


def measure(figures, artifacts, options, peers):
    for threads in options.threads:
        for seeds in options.seeds:
            for shape in SHAPES:
                if not options.rows or shape[0] in options.rows:
                    compare_forward(figures, artifacts, options, peers, (threads, seeds, *shape))
