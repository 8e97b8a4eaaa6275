//! `convnet train`

use crate::common::{self, Outcome, RunOn, Task, print, say};
use crate::options::{self, Given};
use crate::progress::Progress;
use crate::source::{self, Parts, Source};
use crate::trained;
use convnet::atomic_file;
use convnet::backend::Backend;
use convnet::checkpoint::{self, Metadata};
use convnet::data::{Dataset, Split};
use convnet::device::DeviceChoice;
use convnet::distributed::{self, Communicator};
use convnet::report::{JsonLines, Page, TensorBoard};
use convnet::train::{self, Bound, Config, Evaluation, Folder, TrainError, Trainer};
use convnet_models::Model;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The defaults train LeNet-5 to 99 % in a minute on two cores.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  convnet train\n  convnet train lenet5 --epochs 3 --augment 'crop(pad = 2), rotate(10)'\n  \
                        convnet train --data my-pictures --optimizer adamw --lr 0.001\n  convnet train --resume"
)]
pub struct Arguments {
    /// Which network [default: lenet5]
    model: Option<String>,
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
    /// Where to put the trained network [default: MODEL.safetensors]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Train nothing; try growing learning rates and say which ones work
    #[arg(long)]
    find_lr: bool,
    /// Train nothing; see whether the network can learn one batch by heart
    #[arg(long, conflicts_with = "find_lr")]
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

/// Keys of a configuration file that are not the library's.
const KEYS: [&str; 8] = ["model", "data", "dataset", "limit", "validation", "even_classes", "weights", "allow_missing"];

/// What [`KEYS`] say.
#[derive(Default, Serialize, serde::Deserialize)]
#[serde(default)]
struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(flatten)]
    source: Source,
    #[serde(flatten)]
    parts: Parts,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<PathBuf>,
    allow_missing: bool,
}

impl Arguments {
    /// The options of the file, and over them those given as flags.
    fn wanted(&self) -> Result<(Config, Wanted), Box<dyn Error>> {
        let (training, others) = match &self.config {
            Some(path) => options::read(path, &KEYS)?,
            None => Default::default(),
        };
        let file = self.config.as_deref().unwrap_or(Path::new("the options"));
        let mut wanted: Wanted = others.try_into().map_err(|error| format!("{}: {error}", file.display()))?;
        let Source { data, dataset } = self.source.clone();
        wanted.source.data = data.or(wanted.source.data);
        wanted.source.dataset = dataset.or(wanted.source.dataset);
        wanted.parts.limit = self.parts.limit.or(wanted.parts.limit);
        wanted.parts.validation = self.parts.validation.or(wanted.parts.validation);
        wanted.parts.even_classes |= self.parts.even_classes;
        wanted.model = self.model.clone().or(wanted.model);
        wanted.weights = self.weights.clone().or(wanted.weights);
        wanted.allow_missing |= self.allow_missing;
        Ok((options::config(training, &self.given, self.config.as_deref())?, wanted))
    }
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
    arguments.quiet |= ranks.rank() > 0;
    if ranks.size() > 1 && (arguments.find_lr || arguments.overfit) {
        return Err("--find-lr and --overfit are for one process".into());
    }
    let resumed = if arguments.resume { Some(last_run(&arguments)?) } else { None };
    if let Some(folder) = resumed {
        // What the run was begun with, unless said otherwise.
        arguments.config.get_or_insert_with(|| folder.join("config.toml"));
        arguments.run = Some(folder);
    }
    let (config, wanted) = arguments.wanted()?;
    let opened = wanted.source.open(config.seed)?;
    if !arguments.quiet {
        source::say_notes(&opened)?;
    }
    let about = trained::about_split(&opened, config.seed);
    let (data, test) = wanted.parts.of(opened, config.seed)?;
    let model = wanted.model.clone().unwrap_or_else(|| "lenet5".into());
    let on = if ranks.size() > 1 { arguments.on.clone().shared(ranks) } else { arguments.on.clone() };
    let seed = config.seed;
    common::run(&model, &on, seed, Train { arguments, config, wanted, data, test, about, ranks })
}

/// The folder of the run that is to go on.
fn last_run(arguments: &Arguments) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(folder) = &arguments.run {
        return match is_run(folder) {
            true => Ok(folder.clone()),
            false => Err(format!("there is no run in {}", folder.display()).into()),
        };
    }
    let model = arguments.model.as_deref().unwrap_or("lenet5");
    let last =
        (1..).map(|n| numbered(model, n)).take_while(|folder| folder.exists()).filter(|folder| is_run(folder)).last();
    last.ok_or_else(|| format!("there is no run in runs/{model}; name its folder with --run").into())
}

/// Whether a run has begun in a folder.
fn is_run(folder: &Path) -> bool {
    folder.join("config.toml").is_file()
}

fn numbered(model: &str, n: usize) -> PathBuf {
    if n == 1 { format!("runs/{model}").into() } else { format!("runs/{model}-{n}").into() }
}

struct Train<'a> {
    arguments: Arguments,
    config: Config,
    wanted: Wanted,
    data: Split,
    /// Set aside to the end.
    test: Option<Arc<dyn Dataset>>,
    /// What a weight file is to remember of the data.
    about: Metadata,
    ranks: &'a dyn Communicator,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    model: &'static str,
    device: String,
    epochs: usize,
    steps: u64,
    seed: u64,
    train_pictures: usize,
    test_pictures: usize,
    skipped_pictures: usize,
    test_accuracy: f64,
    test_top5: f64,
    test_loss: f64,
    seconds: f64,
    run: PathBuf,
    weights: PathBuf,
    confusion: Vec<Vec<usize>>,
}

impl Task for Train<'_> {
    fn run<N: Model, D: Backend<f32>>(self, name: &'static str, device: D, on: DeviceChoice) -> Outcome {
        let Train { arguments, config, wanted, data, test, about, ranks } = self;
        let loud = !arguments.quiet;
        let mut net = common::build::<N, D>(name, &device)?;
        // A run that goes on has its weights from its checkpoint, and other ranks have them from the first one.
        let first = ranks.rank() == 0;
        let given = match arguments.run.as_ref().filter(|_| first && arguments.resume) {
            Some(folder) => !Folder::open(folder)?.checkpoints()?.is_empty(),
            None => !first,
        };
        if let Some(weights) = wanted.weights.as_ref().filter(|_| !given) {
            let (of_weights, kept) = match wanted.allow_missing {
                true => checkpoint::load_partly::<_, f32, D>(&mut net, weights)?,
                false => checkpoint::load::<_, f32, D>(&mut net, weights).map(|about| (about, Vec::new()))?,
            };
            if loud {
                trained::say_about_start(weights, &of_weights, N::GRAPH, data.train.classes(), &about)?;
            }
            if loud && !kept.is_empty() {
                say(&format!("not in {}, so they start anew: {}", weights.display(), kept.join(", ")))?;
            }
        }
        let [train, judge] = [&data.train, &data.test].map(|part| part.len());
        if loud {
            say(&format!(
                "{name}: {} parameters, {train} training and {judge} test pictures, {on} ({} threads), {} epochs of {} steps",
                N::GRAPH.param_count(),
                convnet::engine::threads(),
                config.epochs,
                train.div_ceil(config.batch * config.accumulate),
            ))?;
        }
        if arguments.find_lr {
            return find_lr(&mut Bound::new(&mut net, device), &data, &config);
        }
        if arguments.overfit {
            return overfit(&mut Bound::new(&mut net, device), &data, &config);
        }
        let free = || (1..).map(|n| numbered(name, n)).find(|folder| !folder.exists());
        let folder = arguments.run.clone().or_else(free).unwrap_or_else(|| numbered(name, 1));
        if first && !arguments.resume && is_run(&folder) {
            let folder = folder.display();
            return Err(
                format!("{folder} holds a run already; go on with it by --resume, or name another folder").into()
            );
        }
        let record = toml::Table::try_from(&Wanted { model: Some(name.into()), ..wanted })?;
        let mut trainer =
            Trainer::new(&mut net, &device).config(config.clone()).folder(&folder).record(record).about(about);
        trainer = trainer.stop_when(stop_flag()?).ranks(ranks);
        trainer = trainer.callback(JsonLines::new(folder.join("log.jsonl")));
        trainer = trainer.callback(TensorBoard::new(&folder)).callback(Page::new(&folder, data.test.clone()));
        if arguments.resume {
            trainer = trainer.resume();
        }
        if loud {
            trainer = trainer.callback(Progress::new());
        }
        let summary = trainer.train(&data)?;
        if !first {
            return Ok(());
        }
        let out = arguments.out.clone().unwrap_or_else(|| common::default_weights(name));
        let last = folder.join("last.safetensors");
        let last = std::fs::read(&last).map_err(|error| format!("cannot read {}: {error}", last.display()))?;
        atomic_file::write(&out, &last)
            .map_err(|source| checkpoint::CheckpointError::Write { path: out.clone(), source })?;
        let evaluation = match &test {
            Some(test) => train::evaluate(&mut net, &device, test, summary.pipeline.clone())?,
            None => summary.evaluation.clone(),
        };
        if arguments.json {
            return common::print_json(&Report {
                model: name,
                device: on.to_string(),
                epochs: summary.history.len(),
                steps: summary.steps,
                seed: config.seed,
                train_pictures: train,
                test_pictures: evaluation.total(),
                skipped_pictures: summary.skipped,
                test_accuracy: evaluation.accuracy(),
                test_top5: evaluation.top5(),
                test_loss: evaluation.loss,
                seconds: summary.seconds,
                run: folder,
                weights: out,
                confusion: evaluation.confusion,
            });
        }
        print(&report(&evaluation, data.test.classes()))?;
        if summary.skipped > 0 {
            print(&format!("{} pictures could not be read and were left out", summary.skipped))?;
        }
        let (seconds, folder) = (summary.seconds, folder.display());
        print(&format!("trained in {seconds:.1} s, saved to {}; the run is in {folder}", out.display()))?;
        next(name, &out, loud)
    }
}

/// Becomes true with Ctrl-C, or when the system asks the program to end; a second Ctrl-C ends it at once.
fn stop_flag() -> Result<Arc<AtomicBool>, Box<dyn Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    // In this order: the second signal finds the flag set by the first.
    signal_hook::flag::register_conditional_shutdown(SIGINT, 130, stop.clone())?;
    signal_hook::flag::register(SIGINT, stop.clone())?;
    signal_hook::flag::register(SIGTERM, stop.clone())?;
    Ok(stop)
}

/// Steps of the two probes.
const PROBE: usize = 200;

fn find_lr(learner: &mut dyn train::Learner, data: &Split, config: &Config) -> Outcome {
    let (probes, steepest) = train::find_lr(learner, data, config, PROBE)?;
    print("learning rate        loss")?;
    for probe in probes.iter().step_by((probes.len() / 24).max(1)) {
        print(&format!("{:13.2e}  {:10.4}", probe.lr, probe.loss))?;
    }
    print(&match steepest {
        Some(lr) => {
            format!("the loss fell fastest at {lr:.2e}; something between {:.2e} and that is a good choice", lr / 10.0)
        }
        None => "the loss never fell".into(),
    })?;
    Ok(())
}

fn overfit(learner: &mut dyn train::Learner, data: &Split, config: &Config) -> Outcome {
    let enough = 0.01;
    let probes = train::overfit(learner, data, config, 5 * PROBE, enough)?;
    let Some(last) = probes.last() else { return Err("there is no batch".into()) };
    match last.loss < enough {
        true => Ok(print(&format!("one batch is learnt by heart after {} steps (loss {:.4})", probes.len(), last.loss))?),
        false => Err(format!(
            "the network cannot learn one batch by heart: after {} steps the loss is {:.4}; try another learning rate, and see \
             whether labels belong to their pictures",
            probes.len(),
            last.loss
        )
        .into()),
    }
}

/// Accuracy and the confusion matrix, as a table.
pub fn report(evaluation: &Evaluation, classes: &[String]) -> String {
    let width = classes.iter().map(String::len).max().unwrap_or(0).clamp(5, 12);
    let short = |class: &String| class.chars().take(width).collect::<String>();
    let mut text = format!(
        "test accuracy {:.2} % ({} of {}), loss {:.4}\n",
        evaluation.accuracy() * 100.0,
        evaluation.correct(),
        evaluation.total(),
        evaluation.loss
    );
    if evaluation.inverted > 0 {
        let n = evaluation.inverted;
        text += &format!(
            "{n} of the images were inverted: dark and bright have changed places (see --invert of `convnet eval`)\n"
        );
    }
    let cell = |text: String| format!("{text:>width$} ");
    // More columns than these have room nowhere.
    if classes.len() <= 20 {
        text += "\nconfusion matrix (rows: what it is, columns: what the network says)\n";
        text += &cell(String::new());
        text.extend(classes.iter().map(|class| cell(short(class))));
        text += "  found\n";
        for ((class, row), recall) in classes.iter().zip(&evaluation.confusion).zip(evaluation.recall()) {
            text += &cell(short(class));
            text.extend(row.iter().map(|n| cell(if *n == 0 { ".".into() } else { n.to_string() })));
            text += &format!("{:>5.1} %\n", recall * 100.0);
        }
    }
    text
}

fn next(name: &str, out: &Path, loud: bool) -> Result<(), Box<dyn Error>> {
    if loud {
        let weights = match out == common::default_weights(name) {
            true => String::new(),
            false => format!(" --weights {}", out.display()),
        };
        say(&format!("next: convnet predict {name}{weights} PICTURE.png"))?;
    }
    Ok(())
}
