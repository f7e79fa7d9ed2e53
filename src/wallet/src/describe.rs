//! What the wallet knows of an output script beyond owning it: inner scripts, keys, their origin, a descriptor.

use bitcoin::{PublicKey, ScriptBuf};
use miniscript::Descriptor;
use miniscript::descriptor::ShInner;

use crate::descriptor::Concrete;
use crate::descriptor::key::KeyOrigin;
use crate::state::State;

/// Scripts inside a script hash.
#[derive(Debug, Default)]
pub(crate) struct InnerScripts {
    /// Inside P2SH.
    pub(crate) redeem: Option<ScriptBuf>,
    /// Inside P2WSH.
    pub(crate) witness: Option<ScriptBuf>,
}

impl State {
    /// The scripts inside a script of the wallet.
    pub(crate) fn inner_scripts(&self, script: &ScriptBuf) -> InnerScripts {
        let Concrete::Miniscript(descriptor) = self.concrete(script) else { return InnerScripts::default() };
        match &*descriptor {
            Descriptor::Wsh(wsh) => InnerScripts { redeem: None, witness: Some(wsh.inner_script()) },
            Descriptor::Sh(sh) => match sh.as_inner() {
                ShInner::Wsh(wsh) => {
                    InnerScripts { redeem: Some(wsh.script_pubkey()), witness: Some(wsh.inner_script()) }
                }
                ShInner::Wpkh(wpkh) => InnerScripts { redeem: Some(wpkh.script_pubkey()), witness: None },
                _ => InnerScripts { redeem: descriptor.explicit_script().ok(), witness: None },
            },
            _ => InnerScripts::default(),
        }
    }

    /// A descriptor of just this script. `None` if the wallet does not know how to spend it.
    pub(crate) fn inferred_descriptor(&self, script: &ScriptBuf) -> Option<String> {
        let (owner, manager) = self.owner(script)?;
        let expanded = manager.expanded(&self.secp, owner.index)?;
        manager.descriptor().inferred_text(&expanded.keys, u32::try_from(owner.index).ok()?, owner.position)
    }

    /// The one key of a script of the wallet that has one, with its origin.
    pub(crate) fn single_key(&self, script: &ScriptBuf) -> Option<(PublicKey, KeyOrigin)> {
        let (owner, manager) = self.owner(script)?;
        let expanded = manager.expanded(&self.secp, owner.index)?;
        let origins = manager.descriptor().origins(u32::try_from(owner.index).ok()?);
        match (&expanded.keys[..], &origins[..]) {
            ([key], [origin]) => Some((*key, origin.clone())),
            _ => None,
        }
    }
}
