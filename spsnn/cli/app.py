"""The ``spsnn`` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spsnn.atomic import replacing
from spsnn.cli import console
from spsnn.cli.targets import Sets, read_target, targets
from spsnn.errors import ConfigError
from spsnn.graph.hdf5 import make_folder

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Networks whose neurons live in space: train, evaluate, map to a chip, simulate, report.",
)

app.add_typer(targets, name="targets")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
DataDir = Annotated[
    str | None,
    typer.Option("--data-dir", envvar="SPSNN_DATA", help="Folder with SHD/, MNIST/ ... in the public layout."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for results.")]
ModelPath = Annotated[Path, typer.Argument(help="Model file (.h5) written by 'spsnn train', or a checkpoint.")]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Target = Annotated[str, typer.Option(help="A name that 'spsnn targets' lists, or a TOML file of your own.")]
Placement = Annotated[
    str, typer.Option(help="learned, random, row_major, hilbert, force_directed, spectral or qap; +refine improves it.")
]
Partition = Annotated[str, typer.Option(help="auto, mtkahypar or geometric.")]
DelayMode = Annotated[str, typer.Option(help="stored, computed or hop.")]
Timing = Annotated[str, typer.Option(help="simple, or from spike traces: queue (estimate) or noc (simulation).")]
Samples = Annotated[int, typer.Option("--samples", help="Traces for --timing queue or noc.")]
Device = Annotated[str, typer.Option(help="cpu, or cuda for a GPU.")]
Cores = Annotated[int | None, typer.Option(help="Number of cores to spread over; default: as few as fit.")]
Scale = Annotated[str, typer.Option(help="How the scale of integer weights is found: max, mse or spikes.")]
Seed = Annotated[int, typer.Option(help="Seed of partitioning and random placement.")]
SplitFanIn = Annotated[
    bool, typer.Option("--split-fan-in", help="Relays on other cores for neurons with more synapses than a core holds.")
]


def _version(wanted: bool):
    if wanted:
        from spsnn import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show version.")] = False,
):
    """Networks whose neurons live in space."""


@app.command(epilog="Example:  spsnn demo --out runs/demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for results; an earlier demo there is replaced.")] = Path(
        "runs/demo"
    ),
    data_dir: DataDir = None,
    seed: Annotated[int, typer.Option(help="Seed of the networks and of training.")] = 0,
    json: Json = False,
):
    """Train on Yin-Yang and digits (and SHD where --data-dir has it), map both to a chip, write the report."""
    from spsnn.cli.demo import run_demo

    metrics = run_demo(out, data_dir=data_dir, seed=seed)
    console.show(f"Demo: open {out / 'report.html'}", metrics, json)


@app.command(epilog="Example:  spsnn train digits --set training.epochs=20 --out runs/digits")
def train(
    config: Annotated[str, typer.Argument(help="YAML file, or the name of a shipped configuration.")],
    set: Annotated[list[str], typer.Option("--set", help="Override a key, e.g. --set model.delay=free.")] = [],  # noqa: B006
    out: Out = None,
    data_dir: DataDir = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder, bit for bit.")] = False,
    device: Device = "cpu",
    json: Json = False,
):
    """Train a network; the validation set chooses the epoch, the test set is read once."""
    from spsnn.autograd.device import find_device
    from spsnn.cli import workflow
    from spsnn.cli.config import differences, read_config

    settings = read_config(config, set)
    out = out or Path("runs") / Path(config).stem
    if resume and (out / "config.yaml").is_file():
        kept = read_config(out / "config.yaml")
        for what, there, here in (("on", kept.data.name, settings.data.name), ("of kind", kept.kind, settings.kind)):
            if there != here:
                raise ConfigError(f"{out} holds a run {what} {there!r}, not {what} {here!r}; choose another --out")
        changes = differences(kept.as_dict(), settings.as_dict())
        if changes and not set:
            more = f"; {len(changes) - 3} more" if len(changes) > 3 else ""
            console.note(f"{out} goes on with its own settings, not those of {config}: {'; '.join(changes[:3])}{more}")
            settings = kept
    place = find_device(device)
    model, sets = workflow.prepare(settings, out, data_dir=data_dir, resume=resume)
    model.to(place)
    with console.training_progress(settings.training.epochs, settings.data.name) as (on_epoch, on_batch):
        try:
            _, metrics = workflow.train(settings, out, model, sets, resume=resume, on_epoch=on_epoch, on_batch=on_batch)
        except KeyboardInterrupt:
            console.err.print(f"stopped; the last finished epoch is in {out}, --resume continues from it")
            raise typer.Exit(130) from None
    console.show(f"Trained {settings.data.name}; files in {out}", {"model": str(out / "model.h5"), **metrics}, json)


@app.command(epilog="Example:  spsnn evaluate runs/digits/model.h5 --split test")
def evaluate(
    model: ModelPath,
    split: Split = "test",
    channel_shifts: Annotated[
        str,
        typer.Option(
            help="Present every sample once moved by each of these numbers of input channels, e.g. "
            "--channel-shifts=-3,0,3, and take the mean of the logits."
        ),
    ] = "0",
    data_dir: DataDir = None,
    device: Device = "cpu",
    json: Json = False,
):
    """Accuracy, loss and spikes of a trained network on a split of its data set."""
    import spsnn

    try:
        shifts = [int(part) for part in channel_shifts.split(",")]
    except ValueError:
        raise ConfigError(
            f"--channel-shifts takes whole numbers between commas, such as -3,0,3, got {channel_shifts!r}"
        ) from None
    net, data = _open(model, split, data_dir, device)
    score = spsnn.evaluate(net, data, channel_shifts=shifts)
    score["confusion"] = score["confusion"].tolist()
    console.show(f"{data.name} {split}", {"parameters": net.n_parameters(), "samples": len(data), **score}, json)


@app.command(epilog="Example:  spsnn join runs/a/model.h5 runs/b/model.h5 --out both.h5")
def join(
    models: Annotated[list[Path], typer.Argument(help="Model files (.h5) of spiking networks, two or more.")],
    out: Annotated[Path, typer.Option(help="Model file to write.")],
    json: Json = False,
):
    """Put trained networks side by side in one, which answers with their mean."""
    from dataclasses import asdict

    import spsnn
    from spsnn.cli import workflow
    from spsnn.cli.config import differences

    if out.exists():
        raise ConfigError(f"{out} is there already; choose another --out")
    networks = [spsnn.load(path) for path in models]
    data = [asdict(workflow.data_of(net, path)) for net, path in zip(networks, models, strict=True)]
    for path, other in zip(models, data, strict=True):
        changes = differences(data[0], other, "data")
        if changes:
            raise ConfigError(
                f"{path} was trained on other data than {models[0]}, {changes[0].split(': ')[0]} differs; join "
                "networks of the same data, with the same parts held out"
            )
    whole = spsnn.join(networks)
    joined = [str(path) for path in models]
    spsnn.save(whole, out, provenance={**networks[0].provenance, "joined": joined})
    values = {"file": str(out), "networks": len(networks), "neurons": whole.sizes}
    values |= {"parameters of the networks": sum(net.n_parameters() for net in networks)}
    values |= {"synapses": sum(int(synapse.mask.sum()) for _, _, synapse in whole.synapses())}
    console.show("Joined", values, json)


@app.command("map", epilog="Example:  spsnn map runs/digits/model.h5 --target loihi2 --cores 16 --out runs/digits/chip")
def map_(
    model: Annotated[Path, typer.Argument(help="Model file (.h5), or a graph file (.h5, .json) with measured rates.")],
    target: Target = "loihi2",
    target_set: Sets = [],  # noqa: B006
    placement: Placement = "learned",
    partition: Partition = "auto",
    delay_mode: DelayMode = "stored",
    cores: Cores = None,
    timing: Timing = "simple",
    samples: Samples = 16,
    seed: Seed = 0,
    scale: Scale = "max",
    stages: Annotated[
        bool, typer.Option("--stages", help="Accuracy and spike distance from float to mapped, step by step.")
    ] = False,
    split_fan_in: SplitFanIn = False,
    pareto: Annotated[
        Path | None,
        typer.Option(help="Picture and table of placements that trade hops, busiest link and (hop mode) delay error."),
    ] = None,
    out: Out = None,
    data_dir: DataDir = None,
    json: Json = False,
):
    """Lay a trained network on a chip: energy, latency, accuracy as mapped; layout, pictures and a page with --out."""
    from spsnn import hwmap
    from spsnn.cli import pages, workflow
    from spsnn.cli.energy import energy_table
    from spsnn.cli.front import draw_front, front_of, front_table
    from spsnn.cli.summary import mapping_summary
    from spsnn.graph import is_graph, load_graph, save_graph

    if out is not None:
        make_folder(out)
    if pareto is not None:
        _check_picture(pareto)
    chosen = read_target(target, target_set)
    options = {"placement": placement, "partition": partition, "delay_mode": delay_mode, "cores": cores, "seed": seed,
               "scale": scale, "split_fan_in": split_fan_in}  # fmt: skip
    timed = []
    if is_graph(model):
        if stages or timing != "simple":
            raise ConfigError(f"--stages and --timing run a model on its data; {model} is a graph, give the model file")
        chip = hwmap.compile(load_graph(model), chosen, **options)
        name, figures = chip.network.name, chip.report()
    else:
        net, data = _open(model, "test", data_dir)
        chip, figures = workflow.map_model(
            net, data, target=chosen, stages=stages, timing=timing, samples=samples, on_timed=timed.append, **options
        )
        name = data.name
    front = []
    if pareto is not None:
        figures["pareto"] = front = front_of(chip, cores)
        _save_picture(draw_front(chip, front), pareto)
    if out is not None:
        chip.export(out / "layout.json")
        chip.export(out / "layout.h5")
        save_graph(chip.network, out / "graph.h5")
        workflow.write_json(out / "figures.json", figures)
        shown = pages.chip_pictures(chip, front=front, noc=timed[0] if timed else None)
        for picture, (_, figure) in shown.items():
            _save_picture(figure, out / f"{picture}.png")
        pages.write_map_page(out / "report.html", name, chip, figures, shown)
    title = f"{name} on {chip.target.title}, delays {chip.target.delay_label(chip.delay_mode)}"
    console.show(title, figures if json else mapping_summary(figures), json)
    if not json:
        console.show_rows("Energy by component", energy_table(figures))
        if front:
            console.show_rows("Placements by weights of hops, busiest link and delay error", front_table(front))
        console.err.print(f"All {len(figures)} figures: --json, or figures.json with --out DIR")
    if stages and not json:
        shown = {"stage": "stage", "accuracy": "accuracy", "loss_points": "points lost",
                 "spike_distance_relative": "spikes moved", "note": "note"}  # fmt: skip
        rows = [{label: row[key] for key, label in shown.items()} for row in figures["stages"]]
        console.show_rows("From float to mapped", rows)


@app.command(epilog="Example:  spsnn simulate runs/digits/model.h5 --sample 3 --raster raster.png")
def simulate(
    model: ModelPath,
    sample: Annotated[int, typer.Option(help="Number of the sample in the split.")] = 0,
    split: Split = "test",
    raster: Annotated[Path | None, typer.Option(help="Write the raster picture (.png, .svg, .pdf).")] = None,
    engine: Annotated[str, typer.Option(help="float, integer, lava (fixed point) or lava-float.")] = "float",
    count: Annotated[int, typer.Option(help="Number of samples, with an engine other than float.")] = 1,
    picture: Annotated[
        Path | None, typer.Option(help="Write spikes, decision and costs of a chip (not float).")
    ] = None,
    target: Target = "loihi2",
    target_set: Sets = [],  # noqa: B006
    cores: Cores = None,
    data_dir: DataDir = None,
    json: Json = False,
):
    """Run a sample through a trained network, or the integers of a chip, and show its spikes and its decision."""
    from spsnn.cli import pages

    net, data = _open(model, split, data_dir)
    if not 0 <= sample < len(data):
        raise ConfigError(f"--sample must lie in [0, {len(data)}), got {sample}")
    if engine != "float":
        from spsnn.cli import engines

        engines.check_engine(engine)
        values, figure = engines.simulate(
            net,
            data,
            engine=engine,
            sample=sample,
            count=count,
            target=read_target(target, target_set),
            cores=cores,
            picture=bool(picture),
        )
        if picture is not None:
            _save_picture(figure, picture)
        return console.show(f"{data.name} {split}, sample {sample}, on {engine}", values, json)
    if picture is not None or count != 1:
        raise ConfigError("--picture and --count show the integers of a chip; add --engine integer or --engine lava")
    trains, logits = pages.sample_trains(net, pages.samples_of(data), sample)
    if raster is not None:
        _save_picture(pages.raster_of(net, data, sample), raster)
    values = {
        "sample": sample,
        "class": data.class_names[int(pages.samples_of(data).labels[sample])],
        "decision": data.class_names[int(logits.argmax())],
        **{f"spikes_{name}": len(times) for name, times, _, _ in trains},
        "logits": logits.tolist(),
    }
    if json:
        values["trains"] = {n: {"times_ms": t.tolist(), "units": u.tolist()} for n, t, u, _ in trains}
    console.show(f"{data.name} {split}, sample {sample}", values, json)


@app.command(epilog="Example:  spsnn export runs/digits/model.h5 digits_layout.json --target loihi2")
def export(
    model: ModelPath,
    file: Annotated[Path, typer.Argument(help="File: .json .h5 .csv .npz .net .nir; a folder for --format sanafe.")],
    format: Annotated[
        str | None, typer.Option(help="Name of a format, see docs/formats.md; default: by suffix.")
    ] = None,
    target: Target = "loihi2",
    target_set: Sets = [],  # noqa: B006
    placement: Placement = "learned",
    partition: Partition = "auto",
    delay_mode: DelayMode = "stored",
    cores: Cores = None,
    split_fan_in: SplitFanIn = False,
    seed: Seed = 0,
    data_dir: DataDir = None,
    json: Json = False,
):
    """Write the chip layout of a trained network, or the network for Lava, netx, NIR or SANA-FE."""
    from spsnn.cli import workflow

    net, data = _open(model, "test", data_dir)
    chip, _ = workflow.map_model(
        net, data, target=read_target(target, target_set), accuracy=False, placement=placement,
        partition=partition, delay_mode=delay_mode,
        cores=cores, seed=seed, split_fan_in=split_fan_in,
    )  # fmt: skip
    chip.export(file, format)
    size = sum(f.stat().st_size for f in file.iterdir()) if file.is_dir() else file.stat().st_size
    values = {"file": str(file), "bytes": size, "target": chip.target.title,
              "delays": chip.target.delay_label(chip.delay_mode), "cores": chip.partition.n_cores}  # fmt: skip
    console.show("Export written", values, json)


@app.command(epilog="Example:  spsnn report runs/digits --target loihi2")
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run, written by 'spsnn train'.")],
    target: Target = "loihi2",
    target_set: Sets = [],  # noqa: B006
    cores: Cores = None,
    data_dir: DataDir = None,
    json: Json = False,
):
    """Write RUN/report.html: training, what was learned, and the chip, in one self-contained page."""
    from spsnn.cli.demo import write_run_report

    path = write_run_report(run, target=read_target(target, target_set), cores=cores, data_dir=data_dir)
    console.show("Report written", {"report": str(path), "bytes": path.stat().st_size}, json)


def _open(path, split, data_dir, device="cpu"):
    import spsnn
    from spsnn.autograd.device import find_device
    from spsnn.cli import workflow

    place = find_device(device)
    model = spsnn.load(path).to(place)
    return model, workflow.load_split(workflow.data_of(model, path), split, data_dir)


def _check_picture(path):
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"pictures are written as .png, .svg or .pdf, got {str(path)!r}")


def _save_picture(figure, path):
    _check_picture(path)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150, format=path.suffix[1:].lower())
