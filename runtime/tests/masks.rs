//! Images with masks: which folders and lists they are found in, what their values mean, and what is said of those that do not fit.
#![deny(warnings)]

#[path = "common/opened.rs"]
mod opened;

use convnet::data::{DatasetKind, Opened, Target, TargetKind, open};
use image::{Rgb, RgbImage};
use opened::{counts, notes};
use std::path::Path;

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// An image of 2 x 2 pixels.
fn image(folder: &Path, name: &str) {
    sized(folder, name, 2, 2);
}

fn sized(folder: &Path, name: &str, width: u32, height: u32) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, name.len() as u8])).save(path).unwrap();
}

/// A mask of 2 x 2 pixels in 8 bits of grey.
fn mask(folder: &Path, name: &str, values: [u8; 4]) {
    write(folder, name, &png([2, 2], png::ColorType::Grayscale, &values));
}

/// An image with a mask in each part.
fn one_each(folder: &Path, parts: [(&str, [u8; 4]); 2]) {
    for (part, values) in parts {
        image(folder, &format!("{part}/images/1.png"));
        mask(folder, &format!("{part}/masks/1.png"), values);
    }
}

fn png([width, height]: [u32; 2], colour: png::ColorType, values: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    if colour == png::ColorType::Indexed {
        encoder.set_palette((0..768).map(|i| 255 - (i * 7) as u8).collect::<Vec<u8>>());
    }
    encoder.write_header().unwrap().write_image_data(values).unwrap();
    bytes
}

fn opened(path: &Path) -> Opened {
    open(DatasetKind::Auto, Some(path), 1).unwrap_or_else(|error| panic!("{error}"))
}

fn problem(path: &Path) -> String {
    open(DatasetKind::Masks, Some(path), 1).err().expect("it cannot be used").to_string()
}

fn values(data: &dyn convnet::data::Dataset, i: usize) -> ([usize; 3], Vec<u8>) {
    match data.target(i).unwrap() {
        Target::Mask(mask) => (mask.shape, mask.pixels.to_vec()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn masks_lie_beside_images_in_many_ways() {
    for [train, validation, test] in [
        ["train/images train/masks", "val/images val/masks", "test/images test/masks"],
        ["images/train masks/train", "images/val masks/val", "images/test masks/test"],
        ["Train/Imgs Train/Labels", "Valid/Imgs Valid/Labels", "Test/Imgs Test/Labels"],
        [
            "JPEGImages/training SegmentationClass/training",
            "JPEGImages/dev SegmentationClass/dev",
            "JPEGImages/test SegmentationClass/test",
        ],
        ["train/photos train/annotations/trimaps", "val/pictures val/ground_truth", "test/image test/labelIds"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path();
        for (part, n) in [(train, 3), (validation, 2), (test, 1)] {
            let (images, masks) = part.split_once(' ').unwrap();
            for i in 0..n {
                image(f, &format!("{images}/{i}.png"));
                mask(f, &format!("{masks}/{i}.png"), [0, 1, 2, i]);
            }
        }
        let parts = opened(f);
        assert_eq!((counts(&parts), parts.divided), ((3, Some(2), 1), false), "{train}");
        assert_eq!((parts.train.target_kind(), parts.train.label(2)), (TargetKind::Mask, 0));
        assert_eq!(parts.train.classes(), ["0", "1", "2"]);
        assert_eq!(values(parts.train.as_ref(), 1), ([1, 2, 2], vec![0, 1, 2, 1]));
        assert_eq!(parts.train.image(1).unwrap().shape, [3, 2, 2]);
        assert!(parts.train.file(1).unwrap().ends_with("1.png"));
        notes(&parts, &["has a folder of images beside one of their masks, so the masks are what is to be learnt"]);
        assert_eq!(counts(&open(DatasetKind::Masks, Some(f), 1).unwrap()), (3, Some(2), 1));
        // What was guessed is not what was asked for.
        assert_eq!(open(DatasetKind::Masks, Some(f), 1).unwrap().notes, [""; 0], "{train}");
    }
}

#[test]
fn masks_in_one_piece_are_split_at_random() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for i in 0..10 {
        image(f, &format!("deep/images/{i}.png"));
        mask(f, &format!("deep/masks/{i}.png"), [0, 1, 1, i % 2]);
    }
    let parts = opened(f);
    assert_eq!((counts(&parts), parts.divided), ((8, None, 2), true));
    notes(&parts, &["holds a dataset (masks) in ", "a fifth of its images, drawn by random seed 1, is kept for it"]);
    // Nothing of what the checks of classes say.
    assert!(!parts.notes.iter().any(|note| note.contains("no image of")), "{:?}", parts.notes);
    let other = open(DatasetKind::Auto, Some(f), 2).unwrap();
    assert_ne!(parts.test.file(0), other.test.file(0));
}

#[test]
fn masks_are_called_after_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let ends = ["", "_mask", "-mask", ".mask", "_gt", "_seg", "_label", "_labelIds", "_MASK"];
    for (i, end) in ends.iter().enumerate() {
        image(f, &format!("images/{i}.jpg"));
        mask(f, &format!("masks/{i}{end}.png"), [0, 1, 2, 3]);
    }
    // Names that could be taken for those of masks, folders within, and what has no counterpart.
    for name in ["5_gt", "city/a", "lonely", "alone"] {
        image(f, &format!("images/{name}.png"));
    }
    for name in ["5_gt_mask", "city/a_mask", "nobody"] {
        mask(f, &format!("masks/{name}.png"), [0, 1, 2, 4]);
    }
    let parts = opened(f);
    assert_eq!(parts.train.len() + parts.test.len(), ends.len() + 2);
    for part in [&parts.train, &parts.test] {
        for i in 0..part.len() {
            let last = values(part.as_ref(), i).1[3];
            let name = part.file(i).unwrap().file_name().unwrap().to_str().unwrap();
            assert_eq!(last, if ["5_gt.png", "a.png"].contains(&name) { 4 } else { 3 }, "{name}");
        }
    }
    notes(
        &parts,
        &[
            "left out: 2 images without a mask: `alone.png`, `lonely.png`",
            "left out: 1 mask without an image: `nobody.png`",
        ],
    );
    mask(f, "masks/0_mask.png", [0; 4]);
    let error = problem(f);
    assert!(error.contains("0.jpg: has 2 masks: ") && error.contains("0_mask.png`; keep one of them"), "{error}");
}

#[test]
fn pascal_voc_and_what_only_looks_like_masks() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for i in 0..5 {
        image(f, &format!("VOC/JPEGImages/{i}.jpg"));
        write(f, &format!("VOC/Annotations/{i}.xml"), b"<annotation/>");
        write(f, &format!("VOC/SegmentationClass/{i}.png"), &png([2, 2], png::ColorType::Indexed, &[0, 15, 255, 0]));
        write(f, &format!("VOC/SegmentationObject/{i}.png"), &png([2, 2], png::ColorType::Indexed, &[0, 1, 2, 0]));
        // Boxes, and classes that are called so.
        image(f, &format!("boxes/images/train/{i}.jpg"));
        write(f, &format!("boxes/labels/train/{i}.txt"), b"0 1 1 1 1");
        image(f, &format!("classes/image/a{i}.jpg"));
        image(f, &format!("classes/mask/b{i}.jpg"));
    }
    let parts = opened(&f.join("VOC"));
    assert_eq!(parts.train.classes().len(), 16);
    assert_eq!(values(parts.train.as_ref(), 0).1, [0, 15, 255, 0]);
    notes(&parts, &["no training mask has a pixel of 14 classes, which cannot be learnt: `1`, `2`"]);
    let classes = opened(&f.join("classes"));
    assert_eq!(
        (classes.train.target_kind(), classes.train.classes()),
        (TargetKind::Class, &["image".to_string(), "mask".into()][..])
    );
    let error = problem(&f.join("classes"));
    assert!(error.contains("none of the 5 images in ") && error.contains("has a mask in "), "{error}");
    assert!(error.contains("with the name of its image, perhaps with _mask, -mask, .mask, _gt behind it"), "{error}");
    let error = problem(&f.join("boxes"));
    assert!(
        error.contains("has no folder of images beside a folder of their masks; there should be `images`"),
        "{error}"
    );
    image(f, "VOC/masks/0.png");
    assert!(problem(&f.join("VOC")).contains("has several folders of masks: "), "{}", problem(&f.join("VOC")));
}

#[test]
fn black_and_white_is_background_and_foreground() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    one_each(f, [("train", [0, 255, 255, 0]), ("test", [255, 0, 0, 0])]);
    let parts = opened(f);
    assert_eq!(parts.train.classes(), ["background", "foreground"]);
    assert_eq!(
        (values(parts.train.as_ref(), 0).1, values(parts.test.as_ref(), 0).1),
        (vec![0, 1, 1, 0], vec![1, 0, 0, 0])
    );
    notes(&parts, &["hold only 0 and 255, so 0 is the class `background` and 255 the class `foreground`"]);
    write(f, "classes.txt", b"road\ncar\n\n\n");
    assert_eq!(opened(f).train.classes(), ["road", "car"]);
    assert_eq!(values(opened(f).train.as_ref(), 0).1, [0, 1, 1, 0]);
    // With three classes, 255 is what does not count.
    write(f, "classes.txt", b"\xef\xbb\xbfroad\r\ncar\r\nsky");
    assert_eq!(opened(f).train.classes(), ["road", "car", "sky"]);
    assert_eq!(values(opened(f).train.as_ref(), 0).1, [0, 255, 255, 0]);
    std::fs::remove_file(f.join("classes.txt")).unwrap();
    // Other greys at the edges are no black and white.
    mask(f, "test/masks/1.png", [0, 7, 255, 0]);
    let error = problem(f);
    assert!(
        error.contains("1.png: is a mask of the test set with the value 7, but training masks have no class above 1"),
        "{error}"
    );
    // The same values in a palette are what they are elsewhere.
    write(f, "train/masks/1.png", &png([2, 2], png::ColorType::Indexed, &[0, 255, 255, 0]));
    std::fs::remove_dir_all(f.join("test")).unwrap();
    assert!(problem(f).contains("has one class (`0`)"), "{}", problem(f));
    write(f, "train/masks/1.png", &png([2, 2], png::ColorType::Indexed, &[255; 4]));
    assert!(problem(f).contains("has no mask to train on with a pixel of any class"), "{}", problem(f));
}

#[test]
fn classes_have_names_and_all_values_are_among_them() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    one_each(f, [("train", [0, 1, 255, 1]), ("val", [0, 0, 0, 1])]);
    write(f, "labels.txt", b" sky \nsea\nland\n");
    let parts = opened(f);
    assert_eq!(parts.test.classes(), ["sky", "sea", "land"]);
    notes(&parts, &["no training mask has a pixel of 1 class, which cannot be learnt: `land`"]);
    mask(f, "val/masks/1.png", [0, 0, 0, 2]);
    let error = problem(f);
    assert!(
        error.ends_with("1.png: is a mask of the validation set with the class `land`, which no training mask has"),
        "{error}"
    );
    mask(f, "val/masks/1.png", [0, 0, 0, 3]);
    let error = problem(f);
    assert!(
        error.contains("1.png: has the value 3, but ")
            && error.contains("labels.txt names 3 classes, which are the values 0 to 2"),
        "{error}"
    );
    let many: String = (0..256).map(|i| format!("{i}\n")).collect();
    for (text, expected) in [
        (&b"sky\n\nsea\n"[..], "labels.txt: has nothing on line 2; each line should name the class of that number"),
        (b"sky\nsea\nsky", "labels.txt: names the class `sky` twice, on lines 1 and 3"),
        (b"\n \n", "labels.txt: names no classes"),
        (b"\xff", "labels.txt: is no text in UTF-8"),
        (many.as_bytes(), "labels.txt: names 256 classes; a mask can tell 255 apart"),
    ] {
        write(f, "labels.txt", text);
        assert!(problem(f).contains(expected), "{}", problem(f));
    }
}

#[test]
fn masks_that_do_not_fit_are_named_with_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for part in ["train", "test"] {
        sized(f, &format!("{part}/images/1.png"), 3, 2);
        mask(f, &format!("{part}/masks/1.png"), [0, 1, 0, 1]);
    }
    let (parts, images, masks) = (opened(f), f.join("train/images/1.png"), f.join("train/masks/1.png"));
    let error = parts.train.target(0).unwrap_err().to_string();
    assert_eq!(error, format!("{}: has 2 x 2 pixels, but its image {} has 3 x 2", masks.display(), images.display()));
    // Masks of other kinds are refused when the dataset is opened.
    let mut jpeg = Vec::new();
    image::GrayImage::new(3, 2).write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
    let colours = png([3, 2], png::ColorType::Rgb, &(0..18).collect::<Vec<u8>>());
    for (bytes, expected) in [
        (&jpeg, "train/masks/1.png: is a JPEG image, and JPEG changes values a little"),
        (&colours, "train/masks/1.png: has a colour at column 0 of row 0"),
        (&Vec::new(), "train/masks/1.png: is empty"),
    ] {
        write(f, "train/masks/1.png", bytes);
        assert!(problem(f).contains(expected), "{}", problem(f));
    }
}

#[test]
fn a_mask_is_turned_as_its_image_is() {
    // A JPEG that is stored as 4 x 2 and has the tag "turn by 90 degrees clockwise", so it is seen as 2 x 4.
    let mut jpeg = Vec::new();
    RgbImage::new(4, 2).write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
    let tag = [&b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[6, 0, 0, 0, 0, 0, 0, 0]].concat();
    let segment = [&[0xff, 0xe1][..], &(tag.len() as u16 + 2).to_be_bytes(), &tag].concat();
    let jpeg = [&jpeg[..2], &segment, &jpeg[2..]].concat();
    let stored = [0, 1, 2, 3, 4, 5, 6, 7];
    for (size, seen) in [([4, 2], [4, 0, 5, 1, 6, 2, 7, 3]), ([2, 4], stored)] {
        let folder = tempfile::tempdir().unwrap();
        for part in ["train", "test"] {
            write(folder.path(), &format!("{part}/images/1.jpg"), &jpeg);
            write(folder.path(), &format!("{part}/masks/1.png"), &png(size, png::ColorType::Grayscale, &stored));
        }
        let parts = opened(folder.path());
        assert_eq!(parts.train.image(0).unwrap().shape, [3, 4, 2]);
        assert_eq!(values(parts.train.as_ref(), 0), ([1, 4, 2], seen.to_vec()));
    }
}

#[test]
fn parts_without_masks_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for i in 0..5 {
        image(f, &format!("a/train/images/{i}.png"));
        mask(f, &format!("a/train/masks/{i}.png"), [0, 1, 0, 1]);
        image(f, &format!("a/test/images/{i}.png"));
        image(f, &format!("b/images/train/{i}.png"));
        mask(f, &format!("b/masks/train/{i}.png"), [0, 1, 0, 1]);
        image(f, &format!("b/images/test/{i}.png"));
    }
    notes(&opened(&f.join("a")), &["test has no folder of images beside one of their masks, so it is left out"]);
    notes(&opened(&f.join("b")), &["images/test has no masks in ", "a fifth of its images"]);
}

#[test]
fn lists_name_masks() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for i in 0..3 {
        image(f, &format!("x/{i}.png"));
        mask(f, &format!("y/{i}.png"), [0, 1, i, 255]);
    }
    write(f, "classes.txt", b"sky\nsea\nland");
    let list = f.join("list.csv");
    for title in ["mask", "Mask_Path", "segmentation", "annotation"] {
        let rows = "x/0.png;y/0.png;train\nx/1.png;y\\2.png;train\nx/2.png;y/1.png;test\n";
        std::fs::write(&list, format!("image;{title};split\n{rows}")).unwrap();
        let parts = opened(&list);
        assert_eq!((parts.train.classes().len(), counts(&parts)), (3, (2, None, 1)), "{title}");
        assert_eq!(values(parts.train.as_ref(), 1).1, [0, 1, 2, 255]);
    }
    // One image with two masks.
    std::fs::write(&list, "path,mask,split\nx/0.png,y/0.png,train\nx/0.png,y/2.png,train\nx/1.png,y/0.png,val\n")
        .unwrap();
    notes(&opened(&list), &["the training set has 1 image with two masks, such as "]);
    // A list of classes may have such a column, too.
    let rows = "x/0.png,y/0.png,a\nx/1.png,y/2.png,b\nx/2.png,y/2.png,b\n";
    std::fs::write(&list, format!("path,mask,label\n{rows}")).unwrap();
    notes(
        &opened(&list),
        &[
            "the masks in the column `mask` are what is to be learnt; `--dataset manifest` learns the classes in `label`",
        ],
    );
    assert_eq!(open(DatasetKind::Manifest, Some(&list), 1).unwrap().train.classes(), ["a", "b"]);
    std::fs::write(&list, "path,annotation,label\nx/0.png,fine,a\nx/1.png,dark,b\nx/2.png,dark,b\n").unwrap();
    assert_eq!(opened(&list).train.classes(), ["a", "b"]);
    for (text, expected) in [
        ("path,mask\nx/0.png,y/9.png\nx/1.png,y/0.png\n", "1 of its 2 rows name files that are not there or no files"),
        ("path,mask\nx/0.png,y/0.png\nx/1.png,\n", "mask at byte 26: expected some text, found nothing"),
        (
            "path,label\nx/0.png,a\n",
            "expected a column `mask` (or mask_path, maskpath, mask_file, segmentation) with the path of",
        ),
    ] {
        std::fs::write(&list, text).unwrap();
        let error = problem(&list);
        assert!(error.contains("list.csv: ") && error.contains(expected), "{error}");
    }
}
