//! Rules on the calls around scans: `describe`, `connect`, `disconnect`, and that they do no I/O.

use serde_json::json;
use sessionql_plugin_abi::message::{Connected, Manifest};
use sessionql_plugin_abi::{ABI_VERSION, ErrorDocument, ffi};

use super::call::{self, Quiet};
use super::{Rule, Seen, Subject, Sum, Unkept};
use crate::export::loopback::{Ended, Loaded};
use crate::testing;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "lifecycle/table",
        text: "`sessionql_plugin_v1` gives a table of this version with all functions",
        look: table,
    },
    Rule {
        id: "lifecycle/describe",
        text: "`describe` replies once with a manifest, the same each time",
        look: describe,
    },
    Rule {
        id: "lifecycle/connect",
        text: "connections open beside each other, and closing one leaves the others usable",
        look: connect,
    },
    Rule {
        id: "lifecycle/no-io",
        text: "`describe`, `connect` and `plan` send no request and emit no rows",
        look: no_io,
    },
];

fn table(subject: &Subject) -> Seen {
    let Some(table) = subject.table else { return Err(Unkept::broken("there is no table")) };
    if table.abi_version != ABI_VERSION {
        let spoken = table.abi_version;
        let seen = format!("the table speaks ABI {spoken}, this is ABI {ABI_VERSION}");
        return Err(Unkept::broken(seen));
    }
    let least = size_of::<ffi::FFI_Plugin>();
    if (table.struct_size as usize) < least {
        let size = table.struct_size;
        return Err(Unkept::broken(format!(
            "the table has {size} bytes, at least {least} are due"
        )));
    }
    match Loaded::of(table) {
        Some(_) => Ok(()),
        None => Err(Unkept::broken("the table lacks one of its functions")),
    }
}

fn describe(subject: &Subject) -> Seen {
    let loaded = call::loaded(subject)?;
    let manifest = |ended: &Ended| {
        testing::read::<Manifest>(ended)
            .map_err(|errors| Unkept::broken(format!("`describe` failed: {}", call::said(&errors))))
    };
    let first = manifest(&loaded.describe(&mut Quiet::default()))?;
    let second = manifest(&loaded.describe(&mut Quiet::default()))?;
    if first == second {
        return Ok(());
    }
    Err(Unkept::broken("`describe` gave two different manifests"))
}

fn connect(subject: &Subject) -> Seen {
    let (loaded, manifest) = (call::loaded(subject)?, call::describe(subject)?);
    let options = call::options(subject, &manifest).to_string();
    let open = || {
        let (ended, connection) = loaded.connect(options.as_bytes(), &mut Quiet::default());
        match testing::read::<Connected>(&ended) {
            Ok(connected) => Ok((connected, connection)),
            Err(errors) if call::is_panic(&errors) || subject.options.is_some() => {
                Err(Unkept::broken(format!("`connect` failed: {}", call::said(&errors))))
            }
            Err(errors) => {
                let why = call::said(&errors);
                Err(Unkept::needs(format!("options that it connects with: {why}")))
            }
        }
    };
    let ((first, one), (second, other)) = (open()?, open()?);
    if first != second {
        return Err(Unkept::broken("`connect` replied differently to the same options"));
    }
    drop(one);
    let tables = first.tables.as_deref().unwrap_or(&manifest.tables);
    let Some(table) = tables.first() else { return Err(Unkept::needs("a table")) };
    let request =
        json!({"table": table.name, "columns": [], "now": subject.clock, "clock": subject.clock});
    let ended = other.plan(request.to_string().as_bytes(), &mut Quiet::default());
    match ended.code {
        ffi::OK | ffi::ERROR => Ok(()),
        code => {
            let seen = format!("after another connection was closed, `plan` returned code {code}");
            Err(Unkept::broken(seen))
        }
    }
}

fn no_io(subject: &Subject) -> Seen {
    let (loaded, manifest) = (call::loaded(subject)?, call::describe(subject)?);
    let mut sum = Sum::default();
    let mut look = |what: &str, quiet: Quiet| {
        if quiet.n_acts > 0 {
            sum.see(format!("`{what}` sent requests or emitted rows"));
        }
    };
    let mut quiet = Quiet::default();
    loaded.describe(&mut quiet);
    look("describe", quiet);
    let (mut quiet, options) = (Quiet::default(), call::options(subject, &manifest).to_string());
    let (ended, connection) = loaded.connect(options.as_bytes(), &mut quiet);
    look("connect", quiet);
    let connected: Result<Connected, ErrorDocument> = testing::read(&ended);
    if let Err(errors) = connected {
        sum.add(Err(Unkept::needs(format!(
            "options that it connects with: {}",
            call::said(&errors)
        ))));
        return sum.end();
    }
    let opened = call::open(subject)?;
    for table in opened.tables() {
        let mut quiet = Quiet::default();
        connection.plan(json!(opened.whole(table)).to_string().as_bytes(), &mut quiet);
        if quiet.n_acts > 0 {
            sum.see(format!("`plan` of table `{}` sent requests or emitted rows", table.name));
        }
    }
    sum.end()
}
