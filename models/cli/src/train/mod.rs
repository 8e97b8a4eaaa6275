//! `convnet train`

mod probes;
mod record;
mod runs;
mod signals;

use crate::common::{self, Outcome, RunOn, Task, print, say};
use crate::load::Loading;
use crate::measured::{self, measured};
use crate::network::{self, Network, Sizes};
use crate::options::{self, Given};
use crate::own;
use crate::place;
use crate::progress::{Bar, Progress};
use crate::source::{self, Parts, Source};
use crate::trained;
use convnet::atomic_file;
use convnet::backend::Backend;
use convnet::data::{Dataset, Split, TargetKind};
use convnet::device::DeviceChoice;
use convnet::distributed::{self, Communicator};
use convnet::net::AnyNetwork;
use convnet::objective::{self, Evaluation};
use convnet::regular_file;
use convnet::report::{HtmlReport, JsonLines, TensorBoard};
use convnet::train::{
    self, Config, Event, Flow, Hyperparameters, NetworkLearner, RunFolder, Summary, TrainError, Trainer,
};
use convnet::weights::Format;
use convnet::weights::{self, Metadata};
use convnet::wording::counted;
use record::Wanted;
use serde::Serialize;
use signals::Stop;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The defaults train LeNet-5 to 99 % in a minute on two cores.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  convnet train\n  convnet train lenet5 --epochs 3 --augment 'crop(pad = 2), rotate(10)'\n  \
                        convnet train --data my-images --optimizer adamw --lr 0.001\n  convnet train --resume\n\nCtrl-C, SIGTERM and SIGHUP (a terminal that goes away; not under nohup) end the run after \
                        its step, saved, with exit code 130; a second Ctrl-C ends it at once."
)]
pub struct Arguments {
    /// The network: a name that `models` lists, a .cnn file, or a weights file to start from [default: the program's
    /// own network, or lenet5]
    model: Option<String>,
    #[command(flatten)]
    sizes: Sizes,
    /// TOML file with any of these options; flags go before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    parts: Parts,
    /// Folder of the run: checkpoints, log, report [default: runs/MODEL, with a number if that is taken]
    #[arg(long)]
    run: Option<PathBuf>,
    /// Go on where the run in that folder (or the last of runs/MODEL) has ended
    #[arg(long)]
    resume: bool,
    /// Start from these weights instead of random ones
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Keep random weights where the file has none or some of another shape: a new head
    #[arg(long, requires = "weights")]
    allow_missing: bool,
    #[command(flatten)]
    loading: Loading,
    /// Where to put the trained network, as .safetensors or .npz [default: MODEL.safetensors]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Train nothing; try growing learning rates and say which ones work
    #[arg(long, conflicts_with = "resume")]
    find_lr: bool,
    /// Train nothing; see whether the network can learn one batch by heart
    #[arg(long, conflicts_with_all = ["find_lr", "resume"])]
    overfit: bool,
    /// Print the final report as JSON
    #[arg(long)]
    json: bool,
    /// Print nothing but the final report
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    on: RunOn,
}

pub fn run(arguments: Arguments) -> Outcome {
    let ranks = distributed::start()?;
    let outcome = one_of(arguments, ranks.as_ref());
    match &outcome {
        // All ranks end with these.
        Err(error) if matches!(error.downcast_ref(), Some(TrainError::Interrupted { .. })) => {}
        // The first rank has more to do, and more that can fail, than the others, which no longer wait for it then.
        Err(error) => ranks.fail(&error.to_string()),
        Ok(()) => {}
    }
    outcome
}

/// One of the processes of a run; most often the only one.
fn one_of(mut arguments: Arguments, ranks: &dyn Communicator) -> Outcome {
    let stop = Stop::listen()?;
    arguments.quiet |= ranks.rank() > 0;
    if ranks.size() > 1 && (arguments.find_lr || arguments.overfit) {
        return Err("--find-lr and --overfit are for one process".into());
    }
    let (config, mut wanted) = match arguments.resume {
        true => {
            let folder = runs::last(arguments.run.as_deref(), arguments.model.as_deref())?;
            let again = record::again(&arguments, &folder, !arguments.quiet)?;
            arguments.run = Some(folder);
            again
        }
        false => record::of(&arguments)?,
    };
    let opened = wanted.source.open(config.seed)?;
    if !arguments.quiet {
        source::say_notes(&opened)?;
    }
    let about = trained::about_split(&opened, config.seed);
    let (data, test) = wanted.parts.of(opened, config.seed)?;
    let classes = classes(&config, &wanted, data.train.as_ref());
    let network = network(&mut wanted, classes)?;
    if let Some(warnings) = network.warnings().filter(|_| !arguments.quiet && !arguments.resume) {
        say(warnings)?;
    }
    if config.fine_tune.is_some() && wanted.weights.is_none() {
        let program = own::program();
        return Err(format!(
            "--fine-tune goes on from a trained network, and none is named; say which one by --weights, as in `{program} train {} \
             --weights FILE --fine-tune 2`",
            wanted.net()
        )
        .into());
    }
    let on = RunOn { device: wanted.device()?, precision: wanted.precision, ..arguments.on.clone() };
    let on = if ranks.size() > 1 { on.shared(ranks) } else { on };
    let seed = config.seed;
    common::run(network, &on, seed, Train { arguments, config, wanted, data, test, about, ranks, stop })
}

/// How many classes the network is to have: those of the data, unless it learns to give back its input.
fn classes(config: &Config, wanted: &Wanted, data: &dyn Dataset) -> Option<usize> {
    let gives_back = || wanted.network(None).is_ok_and(|network| network.graph.output_shape() == network.graph.input());
    let is_itself = match (config.task, data.target_kind()) {
        (objective::Task::Itself, _) | (_, TargetKind::Nothing) => true,
        (objective::Task::Auto, TargetKind::Class) => gives_back(),
        _ => false,
    };
    (!is_itself).then(|| data.classes().len())
}

/// The network for the classes of the data. A weights file that says which one it is says where to start from, too.
fn network(wanted: &mut Wanted, classes: Option<usize>) -> Result<Network, Box<dyn Error>> {
    let network = wanted.network(classes)?;
    match (&network.weights, &wanted.weights) {
        (Some(path), Some(other)) => {
            let [path, other] = [path, other].map(|path| path.display());
            Err(format!("{path} is a weights file to start from, and --weights names another one: {other}").into())
        }
        (Some(path), None) => {
            wanted.weights = Some(path.clone());
            Ok(network)
        }
        (None, _) => Ok(network),
    }
}

struct Train<'a> {
    arguments: Arguments,
    config: Config,
    wanted: Wanted,
    data: Split,
    /// Set aside to the end.
    test: Option<Arc<dyn Dataset>>,
    /// What a weights file is to remember of the data.
    about: Metadata,
    ranks: &'a dyn Communicator,
    stop: Stop,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    model: String,
    device: String,
    epochs: usize,
    steps: u64,
    seed: u64,
    train_images: usize,
    test_images: usize,
    skipped_images: usize,
    task: String,
    test_loss: f64,
    /// On the test set: `test_accuracy`, `test_mean_iou` ...
    #[serde(flatten)]
    metrics: BTreeMap<String, f64>,
    seconds: f64,
    run: PathBuf,
    weights: PathBuf,
    /// Whether there was a file at `weights` before.
    replaced: bool,
    #[serde(flatten)]
    details: measured::Details,
}

impl Task for Train<'_> {
    fn run<D: Backend<f32>>(self, network: Network, device: D, on: DeviceChoice) -> Outcome {
        let name = network.name.as_str();
        let mut net = network.build(&device)?;
        self.start(&network, &mut *net)?;
        let Train { arguments, config, data, ranks, .. } = &self;
        // Before a folder is made: whether the options have a meaning for this network.
        let fits = Hyperparameters::new(config, &network.graph);
        fits.map_err(|error| options::placed(&error, &arguments.given, arguments.config.as_deref()))?;
        let objective = train::objective_of(config, data, &network.graph)?;
        let probe = arguments.find_lr || arguments.overfit;
        let place = if probe { None } else { Some(self.place(name, &network.graph.name)?) };
        if !arguments.quiet {
            let [train, test] = [&data.train, &data.test].map(|part| part.len());
            say(&format!(
                "{name}: {}, {}, {}, {}, {on} ({}), {} of {}",
                match objective.is_of_input() {
                    true => "images to give back".into(),
                    false => measured::targets(data.train.as_ref()),
                },
                counted(network.graph.param_count(), "parameter"),
                counted(train, "training image"),
                counted(test, "test image"),
                counted(convnet::engine::threads(), "thread"),
                counted(config.epochs, "epoch"),
                counted(train.div_ceil(config.batch * config.accumulate), "step"),
            ))?;
        }
        let Some(place) = place else {
            let ask = if arguments.find_lr { probes::find_lr } else { probes::overfit };
            return ask(name, &mut *NetworkLearner::new(&mut *net, device), data, config, arguments.json);
        };
        let (trainer, data) = self.trainer(&network, Trainer::new(&mut *net, &device), &place)?;
        let summary = trainer.train(&data)?;
        if ranks.rank() > 0 {
            return Ok(());
        }
        place.keep()?;
        let evaluation = match &self.test {
            Some(test) => {
                let bar = (!arguments.quiet).then(|| Bar::new("measuring on the test set"));
                let mut progress = |done, all| bar.iter().for_each(|bar| bar.at(done, all));
                let std = &summary.pipeline.preparation.normalisation.std;
                let (_, objective) = objective::of_weights(&summary.metadata, &network.graph, std)?;
                let pipeline = summary.pipeline.clone();
                train::evaluate_watched(&*objective, &mut *net, &device, test, pipeline, &mut progress)?
            }
            None => summary.evaluation.clone(),
        };
        self.finish(name, on, &summary, evaluation, place)
    }
}

/// Where a run is kept, and where the trained network goes.
struct Place {
    folder: PathBuf,
    out: PathBuf,
    format: Format,
    /// Whether there is a file already.
    replaces: bool,
}

impl Place {
    /// Puts the trained network where it is wanted.
    fn keep(&self) -> Outcome {
        let last = self.folder.join("last.safetensors");
        if self.format == Format::Safetensors {
            let last = regular_file::read(&last).map_err(|error| format!("cannot read {}: {error}", last.display()))?;
            return Ok(atomic_file::write(&self.out, &last).map_err(|source| place::unwritable(&self.out, source))?);
        }
        Ok(weights::write(&weights::read(&last)?, &self.out, self.format)?)
    }
}

impl Train<'_> {
    /// Gives the network the weights that it is to start from.
    fn start<D: Backend<f32>>(&self, network: &Network, net: &mut dyn AnyNetwork<f32, D>) -> Outcome {
        let Train { arguments, wanted, data, ranks, about, .. } = self;
        // A run that goes on has its weights from its checkpoint, and other ranks have them from the first one.
        let first = ranks.rank() == 0;
        let given = match arguments.run.as_ref().filter(|_| first && arguments.resume) {
            Some(folder) => !RunFolder::open(folder)?.checkpoints()?.is_empty(),
            None => !first,
        };
        let Some(file) = wanted.weights.as_ref().filter(|_| !given) else { return Ok(()) };
        let mut options = wanted.loading().options();
        let head = network.head()?;
        options.allow_missing = wanted.allow_missing || !head.is_empty();
        let mut loaded = weights::load_with(net, file, &options)?;
        if !wanted.allow_missing && loaded.missing.iter().any(|name| !head.contains(name)) {
            // More is amiss than another number of classes; this tells what.
            options.allow_missing = false;
            loaded = weights::load_with(net, file, &options)?;
        }
        let weights = file.display();
        if let Some(tensor) = loaded.not_finite.first() {
            return Err(format!(
                "{weights}: `{tensor}` and {} other tensors hold numbers that are not finite (NaN or infinite), from which \
                 nothing can be learned",
                loaded.not_finite.len() - 1
            )
            .into());
        }
        if !arguments.quiet {
            loaded.notes.iter().try_for_each(|note| say(&format!("note: {note}")))?;
            trained::say_about_start(file, &loaded.metadata, &network.graph, data.train.classes(), about)?;
            if !loaded.missing.is_empty() {
                let (classes, names) = (counted(network.classes(), "class"), loaded.missing.join(", "));
                say(&format!(
                    "note: {weights} does not have these for {classes}, so they start from random weights: {names}"
                ))?;
            }
        }
        Ok(())
    }

    /// Where everything goes. What cannot be written there is an error now, not after the last epoch.
    fn place(&self, name: &str, network: &str) -> Result<Place, Box<dyn Error>> {
        let Train { arguments, wanted, ranks, .. } = self;
        let out = wanted.out.clone().unwrap_or_else(|| network::default_weights(name));
        let format = Format::to_write(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let (mut replaces, mut notes) = (false, Vec::new());
        if ranks.rank() == 0 {
            place::check(&out)?;
            replaces = runs::replaces(&out, wanted.out.is_some(), network)?;
            if replaces {
                notes.push(format!("{} is there and will be replaced at the end", out.display()));
            }
            if format == Format::Npz {
                let out = out.display();
                notes.push(format!("{out} will have no names of classes and no preprocessing; .safetensors has both"));
            }
        }
        if !arguments.quiet {
            notes.iter().try_for_each(|note| say(&format!("note: {note}")))?;
        }
        let folder = match &arguments.run {
            Some(folder) if ranks.rank() == 0 && !arguments.resume && runs::is_run(folder) => {
                let folder = folder.display();
                let message = format!(
                    "{folder} holds a run already; go on with it by --resume --run {folder}, or name another folder"
                );
                return Err(message.into());
            }
            Some(folder) => folder.clone(),
            // Only the first one keeps anything.
            None if ranks.rank() > 0 => PathBuf::new(),
            None => runs::claim(name)?,
        };
        Ok(Place { folder, out, format, replaces })
    }

    /// The trainer with all that listens to it, and what it is to train on.
    fn trainer<'b>(
        &'b self,
        network: &Network,
        trainer: Trainer<'b>,
        place: &Place,
    ) -> Result<(Trainer<'b>, Split), Box<dyn Error>> {
        let Train { arguments, config, wanted, data, ranks, stop, .. } = self;
        let folder = &place.folder;
        let mut trainer = trainer.config(config.clone()).folder(folder).record(wanted.record(network, &place.out)?);
        let about = self.about.clone().into_iter().chain(network.about());
        trainer = trainer.about(about.collect());
        trainer = trainer.stop_when(stop.asked()).ranks(*ranks);
        // Callbacks are for the first rank; if another one ended at once, the first could not save.
        stop.training(ranks.size() > 1);
        trainer = trainer.callback(move |event: Event<'_>, _: &train::Run<'_>| {
            match event {
                Event::Start => stop.training(true),
                Event::End(_) => stop.training(false),
                _ => {}
            }
            Ok(Flow::Continue)
        });
        trainer = trainer.callback(JsonLines::new(folder.join("log.jsonl")));
        trainer = trainer.callback(TensorBoard::new(folder)).callback(HtmlReport::new(folder, data.test.clone()));
        if arguments.resume {
            trainer = trainer.resume();
        }
        let mut data = data.clone();
        if !arguments.quiet {
            let (progress, train) = Progress::new(&data.train);
            data.train = train;
            trainer = trainer.callback(progress);
        }
        Ok((trainer, data))
    }

    /// Says what has come of it.
    fn finish(&self, name: &str, on: DeviceChoice, summary: &Summary, evaluation: Evaluation, place: Place) -> Outcome {
        let Train { arguments, config, data, .. } = self;
        let Place { folder, out, format, replaces } = place;
        if arguments.json {
            return common::print_json(&Report {
                model: name.into(),
                device: on.to_string(),
                epochs: summary.history.len(),
                steps: summary.steps,
                seed: config.seed,
                train_images: data.train.len(),
                test_images: evaluation.images,
                skipped_images: summary.skipped,
                task: summary.metadata.get("task").cloned().unwrap_or_default(),
                metrics: measured::metrics(&evaluation, "test_"),
                test_loss: evaluation.loss,
                seconds: summary.seconds,
                run: folder,
                weights: out,
                replaced: replaces,
                details: measured::Details::of(&evaluation, data.test.classes()),
            });
        }
        print(&measured(&evaluation, data.test.classes()))?;
        if summary.skipped > 0 {
            print(&format!("left out because they could not be read: {}", counted(summary.skipped, "image")))?;
        }
        let (seconds, folder) = (summary.seconds, folder.display());
        let instead = if replaces { " (in place of the file that was there)" } else { "" };
        print(&format!("trained in {seconds:.1} s, saved to {}{instead}; the run is in {folder}", out.display()))?;
        next(&self.wanted.net(), format, &out, !arguments.quiet)
    }
}

/// Says how to use the weights. Those in a format without metadata do not say which network they are of.
fn next(word: &str, format: Format, out: &Path, loud: bool) -> Result<(), Box<dyn Error>> {
    if loud {
        let network = if format == Format::Safetensors { String::new() } else { format!("{word} --weights ") };
        say(&format!("next: {} predict {network}{} IMAGE.png", own::program(), out.display()))?;
    }
    Ok(())
}
