//! `doorward admin`.

use clap::Subcommand;
use doorward_server::flow::setup;

use super::{DataFlags, Outcome, block_on, folder};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::open::{self, Use};
use crate::serve;
use crate::terminal::say;

/// `doorward admin …`
#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// Print a new one-time link to make an administrator, good for 30 minutes.
    ///
    /// Works beside the running server. The link before it works no longer.
    Link {
        /// Where the server is reached [default: as configured, or localhost]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        #[command(flatten)]
        data: DataFlags,
    },
}

pub(super) fn run(command: AdminCommand) -> Result<(), Outcome> {
    let AdminCommand::Link { url, data } = command;
    let config = data.config()?;
    let folder = folder(&config)?;
    Ok(block_on(link(&config, &folder, url))?)
}

async fn link(config: &Config, folder: &DataDir, url: Option<String>) -> anyhow::Result<()> {
    let configured = config.settings(config.listen()?.port())?;
    let (store, ambient) = (open::store(folder, Use::Command).await?, open::ambient());
    let secret = setup::draw_link(&*store, &ambient).await?;
    // A server that picked a free port has written down which.
    let issuer = url.or_else(|| folder.issuer());
    let issuer = issuer.as_deref().unwrap_or(configured.site.issuer());
    let link = serve::link(issuer.trim_end_matches('/'), &secret);
    if folder.path().exists() {
        folder.write_setup_link(&link)?;
    }
    say(link);
    Ok(())
}
