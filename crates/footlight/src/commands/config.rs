//! `footlight config`: every setting and where it came from.

use serde_json::json;

use super::{print, settings_for};
use crate::cli::Global;

pub(crate) fn run(global: &Global) -> anyhow::Result<()> {
    let loaded = settings_for(global, &[])?;
    let assembly = footlight_media::encoder_assembly();
    if global.json {
        return print::json(&json!({ "settings": loaded.settings, "encoder_assembly": assembly }));
    }
    let mut table = print::table(&["setting", "value", "from"]);
    for (key, value, source) in loaded.rows()? {
        table.add_row([key, value, source]);
    }
    println!("{table}");
    println!("H.264 encoder assembly: {assembly}");
    if assembly == "none" {
        println!("Without nasm the encoder is about three times slower: install nasm and build again.");
    }
    Ok(())
}
