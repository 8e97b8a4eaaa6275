//! Where images come from: each kind of dataset has the images, labels and classes that its files were given here.
#![deny(warnings)]

use convnet::data::{DataError, Dataset, DatasetKind, Opened, decode, open};
use image::{DynamicImage, Rgb, RgbImage};
use std::path::Path;

fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|dim| file.extend(dim.to_be_bytes()));
    file.extend(bytes);
    file
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn labels(data: &dyn Dataset) -> Vec<&str> {
    (0..data.len()).map(|i| data.classes()[data.label(i)].as_str()).collect()
}

fn opened(path: &Path) -> Result<Opened, DataError> {
    open(DatasetKind::Auto, Some(path), 1)
}

fn problem(path: &Path) -> String {
    opened(path).err().expect("it cannot be read").to_string()
}

/// An image of one colour, as a file.
fn image(folder: &Path, name: &str, red: u8) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(3, 2, Rgb([red, 0, 0])).save(path).unwrap();
}

#[test]
fn emnist_is_put_upright_and_its_letters_start_at_one() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        // Two rows of three in the file.
        write(
            folder.path(),
            &format!("emnist-letters-{part}-images-idx3-ubyte"),
            &idx(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 9]),
        );
        write(folder.path(), &format!("emnist-letters-{part}-labels-idx1-ubyte"), &idx(&[2], &[1, 26]));
    }
    let split = opened(folder.path()).unwrap();
    assert_eq!(labels(split.train.as_ref()), ["A", "Z"]);
    let first = split.train.image(0).unwrap();
    assert_eq!((first.shape, &first.pixels[..]), ([1, 3, 2], &[1, 4, 2, 5, 3, 6][..]));
    // No letter has the label 0.
    write(folder.path(), "emnist-letters-test-labels-idx1-ubyte", &idx(&[2], &[1, 0]));
    let error = problem(folder.path());
    assert!(error.contains("expected a number from 1 to 26, found 0"), "{error}");
    write(folder.path(), "emnist-digits-train-images-idx3-ubyte", b"");
    let error = problem(folder.path());
    assert!(error.contains("several parts of EMNIST (letters, digits)"), "{error}");
}

#[test]
fn mnist_and_fashion_mnist_have_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "t10k"] {
        write(folder.path(), &format!("{part}-images-idx3-ubyte"), &idx(&[2, 1, 1], &[7, 8]));
        write(folder.path(), &format!("{part}-labels-idx1-ubyte"), &idx(&[2], &[0, 9]));
    }
    assert_eq!(labels(opened(folder.path()).unwrap().test.as_ref()), ["0", "9"]);
    let fashion = open(DatasetKind::FashionMnist, Some(folder.path()), 1).unwrap();
    assert_eq!(labels(fashion.test.as_ref()), ["T-shirt/top", "Ankle boot"]);
}

/// A record of CIFAR: planes of red, green and blue.
fn record(labels: &[u8], red: u8) -> Vec<u8> {
    [labels, &[red; 1024], &[1; 1024], &[2; 1024]].concat()
}

#[test]
fn cifar_10_has_planes_and_names() {
    let folder = tempfile::tempdir().unwrap();
    for i in 1..=5 {
        write(folder.path(), &format!("data_batch_{i}.bin"), &record(&[i], 10 * i));
    }
    write(folder.path(), "test_batch.bin", &[record(&[9], 3), record(&[0], 4)].concat());
    let split = opened(folder.path()).unwrap();
    assert_eq!(labels(split.train.as_ref()), ["automobile", "bird", "cat", "deer", "dog"]);
    assert_eq!(labels(split.test.as_ref()), ["truck", "airplane"]);
    let third = split.train.image(2).unwrap();
    assert_eq!((third.shape, third.pixels[0], third.pixels[1024], third.pixels[3071]), ([3, 32, 32], 30, 1, 2));
    // A byte too few, a class too many.
    write(folder.path(), "data_batch_2.bin", &record(&[2], 20)[1..]);
    let error = problem(folder.path());
    assert!(error.contains("data_batch_2.bin") && error.contains("a multiple of 3073 bytes"), "{error}");
    write(folder.path(), "data_batch_2.bin", &record(&[10], 20));
    let error = problem(folder.path());
    assert!(error.contains("a label at byte 0: expected a class from 0 to 9, found 10"), "{error}");
}

#[test]
fn cifar_100_has_its_fine_classes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "train.bin", &[record(&[19, 99], 5), record(&[0, 1], 6)].concat());
    write(folder.path(), "test.bin", &record(&[3, 42], 7));
    let split = opened(folder.path()).unwrap();
    assert_eq!(labels(split.train.as_ref()), ["99", "1"]);
    let names: Vec<String> = (0..100).map(|i| format!("name{i}")).collect();
    write(folder.path(), "fine_label_names.txt", names.join("\n").as_bytes());
    assert_eq!(labels(opened(folder.path()).unwrap().test.as_ref()), ["name42"]);
    write(folder.path(), "fine_label_names.txt", b"one\ntwo\n");
    let error = problem(folder.path());
    assert!(error.contains("fine_label_names.txt") && error.contains("expected 100, found 2"), "{error}");
}

#[test]
fn folders_are_classes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, red) in [("train/dog/1.png", 1), ("train/cat/2.png", 2), ("train/cat/1.JPG", 3), ("val/cat/9.png", 4)] {
        image(folder.path(), name, red);
    }
    write(folder.path(), "train/cat/notes.txt", b"no image");
    write(folder.path(), "train/.hidden/1.png", b"no class");
    let split = opened(folder.path()).unwrap();
    assert_eq!(split.train.classes(), ["cat", "dog"]);
    assert_eq!(labels(split.train.as_ref()), ["cat", "cat", "dog"]);
    let dog = split.train.image(2).unwrap();
    assert_eq!((dog.shape, dog.pixels[0]), ([3, 2, 3], 1));
    assert_eq!(labels(split.test.as_ref()), ["cat"]);
    image(folder.path(), "val/horse/1.png", 1);
    let error = problem(folder.path());
    assert!(error.contains("the class `horse`") && error.contains("`cat`, `dog`"), "{error}");
}

#[test]
fn folders_without_a_test_set_give_a_fifth_of_each_class() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        (0..10).for_each(|i| image(folder.path(), &format!("{class}/{i}.png"), i));
    }
    let [one, again] = [1, 1].map(|seed| open(DatasetKind::Auto, Some(folder.path()), seed).unwrap());
    assert_eq!((labels(one.train.as_ref()).len(), labels(one.test.as_ref())), (16, vec!["a", "a", "b", "b"]));
    for i in 0..4 {
        assert_eq!(one.test.image(i).unwrap(), again.test.image(i).unwrap());
    }
}

#[test]
fn a_list_names_images_and_labels() {
    let folder = tempfile::tempdir().unwrap();
    image(folder.path(), "x/1.png", 11);
    image(folder.path(), "x/2.png", 22);
    let list = folder.path().join("list.csv");
    // With a byte order mark, a column that nobody asked for, and quotes.
    std::fs::write(
        &list,
        "\u{feff}label,path,who,split\n\"sea, rough\",x/1.png,me,train\nland,x/2.png,me,train\nland,x/1.png,me,val\n",
    )
    .unwrap();
    let split = opened(&list).unwrap();
    assert_eq!(split.train.classes(), ["land", "sea, rough"]);
    assert_eq!(labels(split.train.as_ref()), ["sea, rough", "land"]);
    assert_eq!(split.train.image(1).unwrap().pixels[0], 22);
    assert_eq!(labels(split.test.as_ref()), ["land"]);
    for (text, expected) in [
        ("path,kind\nx/1.png,a\n", "a column `label` (or class, category, target)"),
        ("x/1.png,a\nx/2.png,b\n", "expected a header with a column `path`"),
        ("path,label\nx/1.png,\n", "label at byte"),
        ("path,label,split\nx/1.png,a,extra\n", "expected train, val or test, found `extra`"),
        ("path,label,split\nx/1.png,a,train\nx/2.png,b,test\n", "no image to train on of the class `b`"),
        ("path,label,split\nx/1.png,a,test\n", "no row of the training set"),
        ("path,label\n", "lists no images"),
        ("", "the first line"),
        ("\u{1}\u{0}x", "tabs, found `\\u{1}\\0x`"),
        ("path,label\nx/1.png\n", "comma-separated values"),
    ] {
        std::fs::write(&list, text).unwrap();
        let error = problem(&list);
        assert!(error.contains("list.csv") && error.contains(expected), "{error}");
    }
    std::fs::write(&list, b"path,label\nx/1.png,caf\xe9\n").unwrap();
    assert!(problem(&list).contains("is no text in UTF-8"), "{}", problem(&list));
    std::fs::write(&list, b"\xff\xfep\0a\0t\0h\0").unwrap();
    assert!(problem(&list).contains("is text in UTF-16"), "{}", problem(&list));
}

#[test]
fn a_list_of_files_that_are_not_there_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    image(folder.path(), "x/1.png", 1);
    let list = folder.path().join("list.csv");
    let rows: String = (2..8).map(|i| format!("x/{i}.png,b\n")).collect();
    std::fs::write(&list, format!("path,label\nx/1.png,a\nx,a\n{rows}")).unwrap();
    let error = problem(&list);
    let here = folder.path().join("x");
    assert!(error.contains("7 of its 8 rows name files that are not there or no files"), "{error}");
    assert!(error.contains(&format!("{} (is no regular file)", here.display())), "{error}");
    assert!(
        error.contains("3.png (No such file") && error.contains("and 4 more") && !error.contains("4.png"),
        "{error}"
    );
}

#[test]
fn lists_are_written_in_many_ways() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    (1..=6).for_each(|i| image(f, &format!("x/{i}.png"), i));
    let list = f.join("list.csv");
    let absolute = f.join("x/2.png").display().to_string();
    for text in [
        format!(
            "Filename;Class;Split\r\nx/1.png;10;Training\r\n{absolute};9;TRAIN\r\nx/3.png;9;valid\r\nx/4.png;10;Test\r\n"
        ),
        format!(
            "image\tcategory\tsubset\nx/1.png\t10\ttrain\n{absolute}\t9\ttrain\nx/3.png\t9\tdev\nx/4.png\t10\ttesting\n"
        ),
        format!(
            "target,img_path,partition\n10,\"x\\1.png\",train\n9,{absolute},train\n9,x\\3.png,val\n10,x/4.png,test\n"
        ),
    ] {
        std::fs::write(&list, &text).unwrap();
        let parts = opened(&list).unwrap();
        assert_eq!(parts.train.classes(), ["9", "10"], "{text}");
        let validation = parts.validation.expect("a part for validation");
        let read = |data: &dyn Dataset| (labels(data).join(" "), data.image(0).unwrap().pixels[0]);
        assert_eq!(read(parts.train.as_ref()), ("10 9".into(), 1), "{text}");
        assert_eq!(read(validation.as_ref()), ("9".into(), 3), "{text}");
        assert_eq!(read(parts.test.as_ref()), ("10".into(), 4), "{text}");
        assert!(!parts.divided);
    }
    // Two columns that could be the label, and rows that are there twice or disagree.
    let rows = "x/1.png,a,0\nx/1.png,a,0\nx/2.png,a,0\nx/2.png,b,1\nx/3.png,b,1\n";
    std::fs::write(&list, format!("path,label,class\n{rows}")).unwrap();
    let notes = opened(&list).unwrap().notes.join("\n");
    assert!(notes.contains("the column `label` is used, and `class` is not"), "{notes}");
    assert!(notes.contains("the training set has 1 image named twice"), "{notes}");
    assert!(notes.contains("the training set has 1 image with two classes"), "{notes}");
}

#[test]
fn whole_numbers_have_the_order_of_numbers_in_folders_and_lists() {
    let folder = tempfile::tempdir().unwrap();
    let mut list = "path,label\n".to_string();
    for class in 0..12 {
        for i in 0..3 {
            image(folder.path(), &format!("data/{class}/{i}.png"), class * 3 + i);
            list += &format!("data/{class}/{i}.png,{class}\n");
        }
    }
    write(folder.path(), "list.csv", list.as_bytes());
    let numbers: Vec<String> = (0..12).map(|class| class.to_string()).collect();
    for name in ["data", "list.csv"] {
        let parts = opened(&folder.path().join(name)).unwrap();
        assert_eq!(parts.train.classes(), numbers, "{name}");
        for i in 0..parts.train.len() {
            let red = parts.train.image(i).unwrap().pixels[0];
            assert_eq!(parts.train.label(i), usize::from(red / 3), "{name}");
        }
    }
}

#[test]
fn forms_of_a_name_are_one_class() {
    let folder = tempfile::tempdir().unwrap();
    let (nfc, nfd) = ("caf\u{e9}", "cafe\u{301}");
    for (name, red) in [(format!("train/{nfc}"), 1), (format!("train/{nfd}"), 2), ("train/tea".into(), 3)] {
        image(folder.path(), &format!("{name}/1.png"), red);
    }
    image(folder.path(), &format!("test/{nfd}/1.png"), 4);
    let parts = opened(folder.path()).unwrap();
    assert_eq!(parts.train.classes(), [nfc, "tea"]);
    assert_eq!(labels(parts.train.as_ref()), [nfc, nfc, "tea"]);
    assert_eq!(labels(parts.test.as_ref()), [nfc]);
    let rows = format!("path,label\ntrain/tea/1.png,tea\ntest/{nfd}/1.png,{nfd}\ntrain/{nfc}/1.png,{nfc}\n");
    write(folder.path(), "list.csv", rows.as_bytes());
    assert_eq!(opened(&folder.path().join("list.csv")).unwrap().train.classes(), [nfc, "tea"]);
}

#[test]
fn a_camera_held_sideways_is_turned_back() {
    // A JPEG of two halves, with the tag that says "turn by 90 degrees clockwise".
    let image =
        DynamicImage::ImageRgb8(RgbImage::from_fn(
            32,
            16,
            |x, _| if x < 16 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) },
        ));
    let mut jpeg = Vec::new();
    image.write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
    let tag = |value: u8| {
        [&b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[value, 0, 0, 0, 0, 0, 0, 0]].concat()
    };
    for (value, shape, last_red) in [(1, [3, 16, 32], 0), (6, [3, 32, 16], 0), (8, [3, 32, 16], 250)] {
        let tag = tag(value);
        let segment = [&[0xff, 0xe1][..], &(tag.len() as u16 + 2).to_be_bytes(), &tag].concat();
        let bytes = [&jpeg[..2], &segment, &jpeg[2..]].concat();
        let read = decode::from_bytes(&bytes, Path::new("p.jpg")).unwrap();
        assert_eq!(read.shape, shape, "orientation {value}");
        let last = read.pixels[shape[1] * shape[2] - 1];
        assert!(last.abs_diff(last_red) < 12, "orientation {value}: {last}");
    }
}
