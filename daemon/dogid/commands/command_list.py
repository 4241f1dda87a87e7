"""All commands, with the texts of their help; the help, shell completion and manual page are made of this list."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A subcommand: its module, and what its help says."""

    module: str
    help: str
    """Its line in the list of commands."""
    about: str
    """What it does, in a few sentences; its own help begins with it."""
    examples: tuple[str, ...]
    """Command lines, typed by tests."""
    see: str
    """Where to go on."""
    mixes_flags: bool = False
    """Whether flags may stand between its arguments; not where it has commands of its own."""


GROUPS = {
    "photos": ("run", "classify", "batch", "results", "status", "why"),
    "corrections": ("label", "learn", "replay", "data"),
    "passing results on": ("outputs", "rules", "export", "sort"),
    "models of your own": ("train", "judge", "model", "retrain", "convert"),
    "installation and upkeep": (
        "service", "check", "audit", "bench", "backup", "restore", "forget", "completion",
    ),
}  # fmt: skip
"""The commands under the headings of `dogid --help`."""

COMMANDS = {
    "run": Command(
        "dogid.commands.run",
        "run the daemon: watch the inbox and classify new photos",
        "Run the daemon in the foreground: classify every photo that is in the inbox or arrives there, and serve the "
        "results and a page at the address that it prints. Ctrl-C stops it; results are kept. SIGHUP reads the "
        "settings file again. Each flag is also a variable and a key of the file.",
        ("dogid run", "dogid run --inbox ~/photos --state ~/dogid-state --port 8080"),
        "copy photos into the inbox, then `dogid results`; `dogid service install` starts it at boot",
    ),
    "classify": Command(
        "dogid.commands.classify",
        "classify files and folders once, without a daemon",
        "Classify photos and folders of photos once, without a daemon, and print the results in the order of the "
        "arguments. Nothing is stored. Exit status 1 if a photo failed.",
        ("dogid classify rex.jpg", "dogid classify --top 3 photos/"),
        "`dogid run` for photos that keep coming, `dogid judge` for how good a model is",
    ),
    "batch": Command(
        "dogid.commands.batch",
        "classify a whole archive, a bucket too, into Parquet files",
        "Classify an archive of photos, in a folder, in a bucket or named by a list, and write the answers as Parquet "
        "files into a folder. The same command again does only what is missing: after a kill or Ctrl-C, and for new "
        "photos. Exit status 1 if a photo failed.",
        ("dogid batch /mnt/archive -o answers", "dogid batch import answers --inbox /mnt/archive --state state"),
        "`dogid run` for photos that keep coming",
    ),
    "results": Command(
        "dogid.commands.results",
        "list the results of a daemon",
        "List what a daemon has found, newest first, whether or not it runs. Filters can be combined.",
        ("dogid results --label pug --since 7d", "dogid results --follow --new"),
        "`dogid why FILE` for one photo's history, `dogid export` for a spreadsheet",
    ),
    "status": Command(
        "dogid.commands.status",
        "count photos by state, and show whether a daemon runs",
        "Count photos by state, and show whether a daemon runs, which model it uses, how certain its answers have "
        "been from week to week, and what is wrong.",
        ("dogid status",),
        "`dogid check` finds what keeps a daemon from starting, `dogid why FILE` what keeps a photo waiting",
    ),
    "why": Command(
        "dogid.commands.why",
        "show the history of one photo",
        "Show all that happened to one photo, newest first: when it was seen, renamed, classified, corrected or why "
        "it failed. A former name will do.",
        ("dogid why inbox/rex.jpg",),
        "`dogid label` to correct its answer, `dogid audit` for the inbox as a whole",
    ),
    "label": Command(
        "dogid.commands.label",
        "say what photos show: kept beside the model's answers",
        "Say what photos show, or that the model is right. The word is kept beside the model's answer, by the photo's "
        "content, and can be taken back. The label may be one that the model does not know.",
        ("dogid label inbox/rex.jpg rottweiler", "dogid label inbox/rex.jpg --confirm"),
        "`dogid learn` makes a new model of what was said",
        mixes_flags=True,
    ),
    "learn": Command(
        "dogid.commands.learn",
        "make a new model of what people said about photos",
        "Make a new model of the present one and of what people said about photos: on the device, in seconds, without "
        "TensorFlow. A gate judges whether it is better on what was corrected and not worse on the rest.",
        ("dogid learn", "dogid learn --activate"),
        "`dogid model list` shows the new model, `dogid replay` what it would answer differently",
    ),
    "replay": Command(
        "dogid.commands.replay",
        "answer stored photos again by another model: what would change",
        "Answer the photos in the inbox again by the active model, or another one, and print what would change. With "
        "--apply the new answers become the current ones; the former ones stay in the histories.",
        ("dogid replay", "dogid replay --apply"),
        "`dogid model rollback` goes back to the model before",
    ),
    "data": Command(
        "dogid_convert.commands.data",
        "export photos that people labelled; compare versions",
        "Export the photos that people labelled, as labelled folders for training, or compare two versions of such "
        "folders.",
        ("dogid data export corrected/", "dogid data diff my-graph/ my-photos/"),
        "`dogid train` trains a model on such folders",
    ),
    "outputs": Command(
        "dogid.commands.outputs",
        "list the outputs, and what waits or was refused; test one",
        "List the outputs of the settings, with what waits, what was sent, what was refused and the last error; or "
        "send one of them a test message.",
        ("dogid outputs", "dogid outputs test phone"),
        "daemon/OUTPUTS.md has the kinds of outputs and recipes; `dogid rules test` shows what would be sent",
    ),
    "rules": Command(
        "dogid.commands.rules",
        "show what rules would have sent",
        "Show which events the rules of the settings would have made of stored results, and why others made none. "
        "Nothing is sent.",
        ("dogid rules test --since yesterday",),
        "`dogid outputs test NAME` sends a test message",
    ),
    "export": Command(
        "dogid.commands.export",
        "write results for spreadsheets, Timelapse or GBIF",
        "Write results to a file for a spreadsheet (CSV), for GBIF (Camtrap DP) or for Timelapse (MegaDetector's "
        "JSON).",
        ("dogid export -o results.csv --since 7d",),
        "`dogid results --json` for scripts, an output of type csv for a file that grows by itself",
    ),
    "sort": Command(
        "dogid.commands.sort",
        "copy or link photos into folders by label; undo that",
        "Copy photos into a folder for each label, or link them there. The inbox is not touched. Again: new photos "
        "come, and corrected ones move.",
        ("dogid sort --to by-label/ --dry-run", "dogid sort --to by-label/"),
        "`dogid sort --undo by-label/` takes it back",
    ),
    "train": Command(
        "dogid_convert.commands.train",
        "train a model on labelled photos: retrain and convert in one",
        "Train a model on a folder with a sub-folder of photos for each label, and write it for the device, with a "
        "report of how good it is beside it. On a PC: it needs TensorFlow (make train-env in a clone; else "
        "pip install 'dogid[convert]').",
        ("dogid train my-photos/ -o mine.tflite",),
        "`dogid judge` measures it on other photos, `dogid model activate mine.tflite` has the daemon use it",
    ),
    "judge": Command(
        "dogid.commands.judge",
        "measure how good a model is on labelled photos",
        "Measure how often a model is right on labelled photos, with 95 % intervals. Use photos that it was not "
        "trained on. Any classifier in a .tflite file will do.",
        ("dogid judge mine.tflite other-photos/ --report judged.html",),
        "`dogid train` trains another one, `dogid model activate` has the daemon use it",
    ),
    "model": Command(
        "dogid.commands.model",
        "list models, show one, download one, choose which one classifies",
        "Show the models that there are, download published ones, and choose which one classifies, also while the "
        "daemon runs.",
        ("dogid model list", "dogid model show mine.tflite", "dogid model activate mine.tflite"),
        "`dogid model ACTION --help` for each; `dogid train` and `dogid learn` make models",
    ),
    "retrain": Command(
        "dogid_convert.commands.retrain",
        "train a graph on photos in labelled folders",
        "Train a TensorFlow graph on labelled folders: the first half of `dogid train`, for the graph itself.",
        ("dogid retrain my-photos/ -o my-graph/",),
        "`dogid convert` makes a model for the device of it",
    ),
    "convert": Command(
        "dogid_convert.commands.convert",
        "convert a retrained graph to a .tflite model",
        "Convert a graph to a small, fast model for the device, check it against the graph, and write it only if it "
        "is no worse. It reads frozen graphs, SavedModels, Keras files and float .tflite files.",
        ("dogid convert my-graph/ -o mine.tflite --calibrate my-photos/",),
        "`dogid judge` measures the model, `dogid model show` prints what is in it",
    ),
    "service": Command(
        "dogid.commands.service",
        "install, remove or show the systemd service",
        "Install dogid as a systemd service that starts at boot, upgrade it, remove it, or show how it is doing.",
        ("dogid service install --dry-run", "dogid service status"),
        "systemd/README.md; settings are in /etc/dogid/dogid.toml",
    ),
    "check": Command(
        "dogid.commands.check",
        "check model, folders, watch, disk and port",
        "Check all that the daemon needs before it starts: interpreter, model, folders and rights, watching, disk, "
        "port, outputs and rules. Exit status 1 if something would not work.",
        ("dogid check",),
        "for the service: `sudo -u dogid dogid check`",
    ),
    "audit": Command(
        "dogid.commands.audit",
        "compare the inbox with the ledger: photos lost or counted twice",
        "Compare the files in the inbox with the ledger, the database of results, and print photos that are lost or "
        "counted twice. Exit status 1 if there are any.",
        ("dogid audit",),
        "`dogid why FILE` for one of them",
    ),
    "bench": Command(
        "dogid.commands.bench",
        "measure decoding, inference and throughput on this device",
        "Measure how fast this device decodes and classifies photos, and how long a new photo takes from the inbox to "
        "its result. It takes some seconds.",
        ("dogid bench", "dogid bench --photos my-photos/pug --json"),
        "tests/benchmarks/RESULTS.md has figures of other machines",
    ),
    "backup": Command(
        "dogid.commands.backup",
        "save results and models to a file, also while the daemon runs",
        "Save results, what people said, and models to one file, also while the daemon runs. Photos and settings are "
        "not part of it.",
        ("dogid backup dogid-backup.zip",),
        "`dogid restore dogid-backup.zip` puts it back",
    ),
    "restore": Command(
        "dogid.commands.restore",
        "put results and models of a backup back; the present ones are kept",
        "Put the results and models of a backup back while the daemon is stopped. What was there before is kept "
        "beside it.",
        ("dogid restore dogid-backup.zip --dry-run",),
        "`dogid audit` compares the inbox with what was restored",
    ),
    "forget": Command(
        "dogid.commands.forget",
        "delete results of photos that have left the inbox",
        "Delete results of photos that have left the inbox, with their histories. What people said about them is kept "
        "unless --reviews is given.",
        ("dogid forget --absent --dry-run",),
        "the setting `retain_days` does it by itself",
    ),
    "completion": Command(
        "dogid.commands.completion",
        "print the completion of commands and flags for a shell",
        "Print a script that completes dogid's commands, flags and files in bash, zsh or fish. The Debian package has "
        "it installed already.",
        (
            "source <(dogid completion bash)",
            "dogid completion zsh | sudo tee /usr/local/share/zsh/site-functions/_dogid",
            "dogid completion fish > ~/.config/fish/completions/dogid.fish",
        ),
        "`man dogid` where the package is installed",
    ),
}
