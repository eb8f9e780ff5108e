//! Links several plugins that nobody calls: that must work too.

use {sessionql_faulty as _, sessionql_minimal as _, sessionql_openvpn as _};

#[test]
fn plugins_are_linked() {}
