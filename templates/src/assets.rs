//! Static files of the console: bundled once at start, named by content hash, compressed once.
use std::{collections::BTreeMap, io::Write};

use aws_lc_rs::digest;
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;

/// Hex digits of the SHA-256 that go into a file's public name (64 bits: enough to tell versions apart).
const HASH_DIGITS: usize = 16;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// One public file and the embedded files it is made of, in order.
struct Bundle {
    name: &'static str,
    content_type: &'static str,
    parts: &'static [&'static str],
}

/// Few files, so that a first visit stays within six requests.
const BUNDLES: &[Bundle] = &[
    Bundle {
        name: "console.css",
        content_type: "text/css; charset=utf-8",
        parts: &["vendor/radix-colors.css", "vendor/uPlot.min.css", "console.css"],
    },
    Bundle {
        name: "console.js",
        content_type: "text/javascript; charset=utf-8",
        parts: &["vendor/htmx.min.js", "vendor/hx-sse.min.js", "console.js"],
    },
    Bundle { name: "chart.js", content_type: "text/javascript; charset=utf-8", parts: &["vendor/uPlot.iife.min.js"] },
    Bundle { name: "quickstart.js", content_type: "text/javascript; charset=utf-8", parts: &["quickstart.js"] },
    Bundle { name: "favicon.svg", content_type: "image/svg+xml", parts: &["favicon.svg"] },
];

/// A file as it is served: its address, type and both bodies.
pub struct Asset {
    /// Address below the origin, e.g. `/assets/console.0123456789abcdef.css`; it never changes its meaning.
    pub path: String,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// The body as it is.
    pub plain: Vec<u8>,
    /// The body compressed with gzip at level 9.
    pub gzip: Vec<u8>,
}

/// All files the console serves.
pub struct Assets {
    by_name: BTreeMap<&'static str, Asset>,
}

impl Assets {
    /// Bundles, hashes and compresses the files embedded in this binary; done once at start.
    #[must_use]
    pub fn embedded() -> Self {
        Self { by_name: BUNDLES.iter().map(|bundle| (bundle.name, build(bundle))).collect() }
    }

    /// The address of a bundle, for a page to link to.
    #[must_use]
    pub fn path(&self, name: &str) -> &str {
        &self.by_name.get(name).expect("pages only name bundles of the table, which a test renders").path
    }

    /// The file behind a request's path, if it is one of this build.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Asset> {
        self.by_name.values().find(|asset| asset.path == path)
    }

    /// All files of this build, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &Asset> {
        self.by_name.values()
    }
}

fn build(bundle: &Bundle) -> Asset {
    let mut plain = Vec::new();
    for part in bundle.parts {
        let file = Files::get(part).expect("every part of the bundle table is embedded");
        plain.extend_from_slice(&file.data);
        plain.push(b'\n');
    }
    let hash = hex(digest::digest(&digest::SHA256, &plain).as_ref());
    let (stem, extension) = bundle.name.rsplit_once('.').expect("every bundle's name has an extension");
    Asset {
        path: format!("/assets/{stem}.{}.{extension}", &hash[..HASH_DIGITS]),
        content_type: bundle.content_type,
        gzip: compress(&plain, Compression::best()),
        plain,
    }
}

/// Bytes as lower-case hex; this room uses no other.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compresses a page for one answer; level 5 costs a tenth of a millisecond per page.
#[must_use]
pub fn gzip_page(page: &[u8]) -> Vec<u8> {
    compress(page, Compression::new(5))
}

fn compress(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), level);
    encoder.write_all(bytes).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendored_files_are_the_locked_ones() {
        let lock = String::from_utf8(Files::get("vendor.lock").expect("lock").data.into_owned()).expect("utf-8");
        let mut locked: Vec<String> = Vec::new();
        for line in lock.lines().filter(|line| !line.starts_with('#')) {
            let (sum, path) = line.split_once("  ").expect("sum and path");
            let file =
                Files::get(path).unwrap_or_else(|| panic!("{path} is in vendor.lock and missing: run scripts/vendor"));
            assert_eq!(hex(&file.metadata.sha256_hash()), sum, "{path} differs from vendor.lock");
            locked.push(path.to_owned());
        }
        let present: Vec<String> =
            Files::iter().filter(|path| path.starts_with("vendor/")).map(|path| path.to_string()).collect();
        for path in present {
            assert!(locked.contains(&path), "{path} is not in vendor.lock: run scripts/vendor");
        }
    }

    #[test]
    fn own_files_stay_within_their_budget() {
        for (name, bytes_max) in [("console.css", 12_000), ("console.js", 6_000), ("quickstart.js", 3_000)] {
            let size = compress(&Files::get(name).expect("own file").data, Compression::best()).len();
            assert!(size <= bytes_max, "{name}: {size} bytes compressed, at most {bytes_max}");
        }
    }

    #[test]
    fn a_name_changes_with_its_content_only() {
        let (one, two) = (Assets::embedded(), Assets::embedded());
        assert_eq!(one.path("console.css"), two.path("console.css"));
        assert!(one.find(one.path("chart.js")).is_some());
        assert!(one.find("/assets/console.0000000000000000.css").is_none());
    }
}
