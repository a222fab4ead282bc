//! Every setting, once. Nothing else reads the environment.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

/// Where a pod finds the name of its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Looks after `UrlShortener` resources of a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(
    name = "shortener-operator",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: Config,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after the resources. The default.
    Run(Config),
    /// Print the CustomResourceDefinition as YAML.
    Crds,
    /// Print the reference of every field of a `UrlShortener`, in Markdown.
    Reference,
}

#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Namespaces to look after, separated by commas; all, if empty.
    #[arg(
        long = "namespaces",
        env = "OPERATOR_NAMESPACES",
        default_value = "",
        hide_default_value = true
    )]
    pub namespace_list: String,

    /// Namespace of the Lease by which one of several operators acts; the pod's own, or `default` outside a cluster.
    #[arg(long, env = "OPERATOR_NAMESPACE")]
    pub namespace: Option<String>,

    /// Address of `/metrics`, `/livez` and `/readyz`.
    #[arg(long, env = "OPERATOR_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// How many resources are worked on at once.
    #[arg(long, env = "OPERATOR_CONCURRENCY", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,

    /// What is logged, as a `tracing` filter, such as `info,operator=debug`.
    #[arg(long, env = "OPERATOR_LOG", default_value = "info")]
    pub log: String,

    /// Name of this process among several operators.
    #[arg(
        long,
        env = "HOSTNAME",
        default_value = "shortener-operator",
        hide = true
    )]
    pub identity: String,
}

impl Config {
    /// The namespaces to look after; none means all.
    pub fn namespaces(&self) -> Vec<String> {
        let names = self.namespace_list.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Where the Lease is.
    pub fn own_namespace(&self) -> String {
        let given = self.namespace.clone().filter(|name| !name.is_empty());
        given
            .or_else(|| std::fs::read_to_string(NAMESPACE_FILE).ok())
            .map_or_else(|| "default".to_owned(), |name| name.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_of_namespaces_means_all() {
        let read = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap().run;
        assert!(
            read(&["operator", "--namespaces", ""])
                .namespaces()
                .is_empty()
        );
        assert_eq!(
            read(&["operator", "--namespaces", "a, b,"]).namespaces(),
            ["a", "b"]
        );
    }
}
