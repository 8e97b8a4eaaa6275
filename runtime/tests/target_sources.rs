//! Images with several labels, with numbers and with nothing: which lists and folders they are read from, and what is said of
//! those that cannot be used.
#![deny(warnings)]

use convnet::data::{Dataset, DatasetKind, Opened, Subset, Target, TargetKind, open};
use image::{Rgb, RgbImage};
use std::path::Path;
use std::sync::Arc;

/// Images of one colour, `0.png` to `{n - 1}.png`.
fn images(folder: &Path, below: &str, n: u8) {
    for i in 0..n {
        let path = folder.join(below).join(format!("{i}.png"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(3, 2, Rgb([i, below.len() as u8, 0])).save(path).unwrap();
    }
}

/// Opens a list of this text.
fn listed(folder: &Path, kind: DatasetKind, text: &str) -> Result<Opened, String> {
    let list = folder.join("list.csv");
    std::fs::write(&list, text).unwrap();
    open(kind, Some(&list), 1).map_err(|error| error.to_string())
}

fn labels(data: &dyn Dataset) -> Vec<Vec<usize>> {
    let of = |i| match data.target(i).unwrap() {
        Target::Labels(labels) => (0..labels.len()).filter(|class| labels[*class]).collect(),
        other => panic!("{other:?}"),
    };
    (0..data.len()).map(of).collect()
}

fn numbers(data: &dyn Dataset) -> Vec<Vec<f32>> {
    let of = |i| match data.target(i).unwrap() {
        Target::Numbers(numbers) => numbers.to_vec(),
        other => panic!("{other:?}"),
    };
    (0..data.len()).map(of).collect()
}

/// Whether one of the notes has these words.
#[track_caller]
fn noted(parts: &Opened, words: &str) {
    assert!(parts.notes.iter().any(|note| note.contains(words)), "{words:?} in {:#?}", parts.notes);
}

/// Errors of lists, each with words of it.
#[track_caller]
fn refused(folder: &Path, kind: DatasetKind, lists: &[(&str, &str)]) {
    for (text, expected) in lists {
        let error = listed(folder, kind, text).err().expect("it cannot be used");
        assert!(error.contains("list.csv: ") && error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn columns_of_flags_are_labels() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "x", 4);
    for [yes, no] in [["1", "0"], ["true", "False"], ["YES", "no"], ["1", ""], ["1.0", "0.0"]] {
        let text = format!(
            "path,Sea,beach,split\nx/0.png,{yes},{no},train\nx/1.png,{yes},{yes},train\nx/2.png,{no},{no},train\nx/3.png,{no},{yes},test\n"
        );
        for kind in [DatasetKind::Labels, DatasetKind::Auto] {
            let parts = listed(f, kind, &text).unwrap();
            assert_eq!(
                (parts.train.classes(), parts.train.target_kind()),
                (&["Sea".to_string(), "beach".into()][..], TargetKind::Labels)
            );
            assert_eq!(labels(parts.train.as_ref()), [vec![0], vec![0, 1], vec![]]);
            assert_eq!((labels(parts.test.as_ref()), parts.train.label(1)), (vec![vec![1]], 0));
            noted(&parts, "the test set has no image of the class `Sea`");
            let guessed = parts
                .notes
                .iter()
                .any(|note| note.contains("hold only 0 and 1, so they say which labels an image has: `Sea`, `beach`"));
            assert_eq!(guessed, kind == DatasetKind::Auto);
        }
    }
    // A column of row numbers, as pandas writes them; a class that is called as a column of labels is.
    let text = ",path,class,other\n0,x/0.png,1,0\n1,x/1.png,0,1\n2,x/2.png,0,0\n";
    let parts = listed(f, DatasetKind::Labels, text).unwrap();
    assert_eq!(parts.train.classes(), ["class", "other"]);
    noted(&parts, "a column without a title is left out");
    noted(&parts, "a fifth of its images, drawn by random seed 1");
    // A single label is one, too.
    assert_eq!(
        listed(f, DatasetKind::Auto, "path,sick\nx/0.png,1\nx/1.png,0\nx/2.png,1\n").unwrap().train.classes(),
        ["sick"]
    );
    refused(
        f,
        DatasetKind::Labels,
        &[
            (
                "path,a,b\nx/0.png,1,0\nx/1.png,2,1\n",
                "a label at byte 21: expected 0 or 1 (true or false, yes or no) in the column `a`, found `2`",
            ),
            ("path,a,b\nx/0.png,1,0\nx/1.png,1,0\n", "has no image to train on of the class `b`"),
            ("path,a,a\nx/0.png,1,0\nx/1.png,1,1\n", "has two columns with the title `a`"),
            ("path\nx/0.png\n", "expected a column of 0 and 1 for each label, or a column `labels`"),
            ("path,a\n", "lists no images"),
            ("path,a\nx/9.png,1\n", "1 of its 1 rows name files that are not there"),
        ],
    );
}

#[test]
fn one_column_names_several_labels() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "x", 4);
    for (separator, between, title) in [
        (',', "|", "labels"),
        (',', " ; ", "tags"),
        (';', "|", "label"),
        (';', ",", "Labels"),
        ('\t', ",", "class"),
        (',', ",", "label"),
    ] {
        let row = |i: u8, names: &[&str]| format!("x/{i}.png{separator}\"{}\"\n", names.join(between));
        let rows = [row(0, &["10", "9"]), row(1, &["9"]), row(2, &[]), row(3, &["10"])].concat();
        let parts = listed(f, DatasetKind::Labels, &format!("path{separator}{title}\n{rows}")).unwrap();
        assert_eq!(parts.train.classes(), ["9", "10"], "{title}");
        let all = Subset::new(parts.train.clone(), (0..parts.train.len()).collect());
        let mut found = [labels(&all), labels(parts.test.as_ref())].concat();
        found.sort();
        assert_eq!(found, [vec![], vec![0], vec![0, 1], vec![1]], "{title}");
    }
    // Where `|` is between names, other marks belong to them.
    let text = "path,label\nx/0.png,\"sea, rough|land\"\nx/1.png,land\nx/2.png,\"land|land|\"\nx/3.png,land\n";
    let parts = listed(f, DatasetKind::Auto, text).unwrap();
    assert_eq!(parts.train.classes(), ["land", "sea, rough"]);
    noted(&parts, "the column `label` has `|` between names, so an image may have several labels");
    let one = listed(f, DatasetKind::Manifest, text).unwrap();
    assert_eq!(one.train.classes(), ["land", "land|land|", "sea, rough|land"]);
    let parts = listed(f, DatasetKind::Auto, "path,tags\nx/0.png,a\nx/1.png,b;a\nx/2.png,b\n").unwrap();
    noted(&parts, "the column `tags` is taken for the names of several labels");
    refused(
        f,
        DatasetKind::Labels,
        &[("path,label\nx/0.png,\nx/1.png,|\n", "names no label at all in its column `label`")],
    );
    let error = open(DatasetKind::Labels, Some(f), 1).err().unwrap().to_string();
    assert!(
        error.contains("is a folder; labels are read from a CSV list of images; if ") && error.contains("list.csv"),
        "{error}"
    );
}

#[test]
fn columns_of_numbers_are_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "x", 5);
    let text =
        "path,Age [y],who,weight,split\nx/0.png,-3,me,1e3,train\nx/1.png,4.25,you,0,train\nx/2.png,0.1,3,7,test\n";
    for kind in [DatasetKind::Numbers, DatasetKind::Auto] {
        let parts = listed(f, kind, text).unwrap();
        assert_eq!(
            (parts.train.classes(), parts.train.target_kind()),
            (&["Age [y]".to_string(), "weight".into()][..], TargetKind::Numbers)
        );
        assert_eq!(numbers(parts.train.as_ref()), [[-3.0, 1000.0], [4.25, 0.0]]);
        assert_eq!(numbers(parts.test.as_ref()), [[0.1, 7.0]]);
        noted(&parts, "the column `who` is left out: it holds `me`, which is no number");
        let guessed = parts.notes.iter().any(|note| {
            note.contains("the numbers in its other columns are what is to be learnt: `Age [y]`, `weight`")
        });
        assert_eq!((guessed, parts.notes.len()), (kind == DatasetKind::Auto, 1 + usize::from(guessed)));
    }
    // One number, also in a column that could be one of labels; a decimal comma is told.
    let rows: String = (0..5).map(|i| format!("x/{i}.png;{i}.5;{i},5\n")).collect();
    let parts = listed(f, DatasetKind::Numbers, &format!("path;target;size\n{rows}")).unwrap();
    assert_eq!((parts.train.classes(), parts.train.len(), parts.test.len()), (&["target".to_string()][..], 4, 1));
    noted(&parts, "the column `size` is left out: it holds `0,5`, and numbers have a point and no comma");
    noted(&parts, "a fifth of its images");
    let twice = listed(
        f,
        DatasetKind::Numbers,
        "path,a,split\nx/0.png,1,train\nx/0.png,2,train\nx/0.png,1,train\nx/1.png,1,val\n",
    )
    .unwrap();
    noted(&twice, "the training set has 1 image named twice with different numbers");
    noted(&twice, "the training set has 1 image named twice, such as");
    refused(
        f,
        DatasetKind::Numbers,
        &[
            (
                "path,a\nx/0.png,1\nx/1.png,\n",
                "a number at byte 17: expected a finite number in the column `a`, found nothing",
            ),
            ("path,a\nx/0.png,1\nx/1.png,nan\n", "expected a finite number in the column `a`, found `nan`"),
            ("path,a\nx/0.png,1\nx/1.png,-inf\n", "found `-inf`"),
            ("path,a\nx/0.png,1\nx/1.png,1e60\n", "found `1e60`"),
            ("path,a\nx/0.png,1\nx/1.png,N/A\n", "found `N/A`"),
            ("path,a,b\nx/0.png,u,v\n", "has no column of numbers; no numbers are in `a`, `b`"),
            ("path,split\nx/0.png,train\n", "expected a column of numbers beside that of paths, found `path, split`"),
        ],
    );
}

#[test]
fn what_a_list_holds_is_guessed_only_where_it_can_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "x", 30);
    for text in ["path,kind\nx/0.png,a\n", "path\nx/0.png\n", "path,a\nx/0.png,\n"] {
        let error = listed(f, DatasetKind::Auto, text).err().unwrap();
        for part in [
            "a column `label` (or class",
            "a column `mask`",
            "columns of 0 and 1",
            "columns of numbers",
            "`--dataset images`",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
    // Many fractions are classes as ever, and it is said how to learn them as numbers.
    let text = |n: u8, end: &str| (0..30).map(|i| format!("x/{i}.png,{}{end}\n", i % n)).collect::<String>();
    let hint = "each of the 25 numbers in the column `y` is taken for a class; to learn the numbers themselves say `--dataset numbers`";
    let parts = listed(f, DatasetKind::Auto, &format!("path,y\n{}", text(25, ".25"))).unwrap();
    assert_eq!((parts.train.target_kind(), parts.train.classes().len()), (TargetKind::Class, 25));
    noted(&parts, hint);
    for rows in [text(25, ""), text(25, ".0"), text(20, ".5")] {
        let parts = listed(f, DatasetKind::Auto, &format!("path,y\n{rows}")).unwrap();
        assert!(!parts.notes.iter().any(|note| note.contains("--dataset numbers")), "{:?}", parts.notes);
    }
}

#[test]
fn images_may_have_no_targets() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "some/a", 3);
    images(f, "some/b/c", 2);
    let parts = open(DatasetKind::Images, Some(&f.join("some")), 1).unwrap();
    assert_eq!((parts.train.len(), parts.test.len(), parts.divided), (4, 1, true));
    assert_eq!(
        (parts.train.target_kind(), parts.train.target(0).unwrap(), parts.train.label(0)),
        (TargetKind::Nothing, Target::Nothing, 0)
    );
    assert_eq!(parts.train.classes(), [""; 0]);
    assert_eq!(parts.notes.len(), 1, "{:?}", parts.notes);
    noted(&parts, "a fifth of its images");
    for (part, n) in [("train/x", 3), ("valid", 2), ("test/deep/er", 1), ("other", 1)] {
        images(f, &format!("parts/{part}"), n);
    }
    let parts = open(DatasetKind::Images, Some(&f.join("parts")), 1).unwrap();
    assert_eq!(
        (parts.train.len(), parts.validation.as_ref().unwrap().len(), parts.test.len(), parts.divided),
        (3, 2, 1, false)
    );
    noted(&parts, "`other` beside the training set is not looked at");
    std::fs::create_dir(f.join("empty")).unwrap();
    let error = open(DatasetKind::Images, Some(&f.join("empty")), 1).err().unwrap().to_string();
    assert!(error.contains("empty: has no images in it or below; images end in .png"), "{error}");
    // Of a list, only the paths.
    let rows: String = (0..3).map(|i| format!("some/a/{i}.png,,x\n")).collect();
    let parts = listed(f, DatasetKind::Images, &format!("path,label,y\n{rows}")).unwrap();
    assert_eq!((parts.train.len(), parts.test.len(), parts.train.target_kind()), (2, 1, TargetKind::Nothing));
    let error = open(DatasetKind::Auto, Some(&f.join("some/a")), 1).err().unwrap().to_string();
    assert!(error.contains("`--dataset images` takes images without classes"), "{error}");
    let error = "image".parse::<DatasetKind>().unwrap_err().to_string();
    assert!(error.contains("masks, labels, numbers or images; did you mean `images`?"), "{error}");
}

#[test]
fn images_without_classes_are_divided_and_limited_by_chance() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    images(f, "x", 20);
    let rows: String = (0..20).map(|i| format!("x/{i}.png,{i}.5,{}\n", i + 2)).collect();
    let numbers = listed(f, DatasetKind::Numbers, &format!("path,a,b\n{rows}")).unwrap();
    let nothing = open(DatasetKind::Images, Some(&f.join("x")), 1).unwrap();
    for all in [numbers.train, nothing.train] {
        assert_eq!(all.len(), 16);
        let files = |data: &dyn Dataset| (0..data.len()).map(|i| data.file(i).unwrap().to_owned()).collect::<Vec<_>>();
        let of = |seed| files(&Subset::limited(all.clone(), 5, seed));
        assert_eq!((of(1).len(), of(1) == of(1), of(1) == of(2)), (5, true, false));
        assert_eq!(Subset::limited(all.clone(), 99, 1).len(), 16);
        assert_eq!(Subset::balanced(all.clone(), 1).len(), 16);
        let (most, rest) = Subset::split(all.clone(), 0.25, 1);
        assert_eq!((most.len(), rest.len()), (12, 4));
        let mut together = [files(&most), files(&rest)].concat();
        together.sort();
        let mut expected = files(all.as_ref());
        expected.sort();
        assert_eq!(together, expected);
        let empty: Arc<dyn Dataset> = Arc::new(Subset::first(all, 0));
        assert!(Subset::limited(empty.clone(), 3, 1).is_empty() && Subset::balanced(empty, 1).is_empty());
    }
}
