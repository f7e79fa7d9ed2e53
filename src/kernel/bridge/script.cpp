// Scripts, apart from any chain.

#include "state.h"

#include <policy/policy.h>
#include <script/interpreter.h>
#include <script/script_error.h>

namespace bridge {
//! Verifies an input against what it spends by the rules of the mempool. Returns what is wrong; empty if nothing is.
rust::String verify_input(rust::Slice<const std::uint8_t> bytes, std::uint32_t input, const rust::Vec<SpentEntry>& spent)
{
    SpanReader reader{to_span(bytes)};
    const CTransaction tx{deserialize, TX_WITH_WITNESS, reader};
    if (input >= tx.vin.size() || spent.size() != tx.vin.size()) throw std::runtime_error("no such input");
    std::vector<CTxOut> outputs;
    bool all_known{true};
    for (const SpentEntry& entry : spent) {
        all_known &= entry.known;
        outputs.emplace_back(entry.value, CScript(entry.script.begin(), entry.script.end()));
    }
    const CTxOut output{outputs[input]};
    PrecomputedTransactionData data;
    data.Init(tx, all_known ? std::move(outputs) : std::vector<CTxOut>{}, /*force=*/true);
    const TransactionSignatureChecker checker{&tx, input, output.nValue, data, MissingDataBehavior::FAIL};
    ScriptError error{SCRIPT_ERR_UNKNOWN_ERROR};
    const CTxIn& in{tx.vin[input]};
    if (VerifyScript(in.scriptSig, output.scriptPubKey, &in.scriptWitness, STANDARD_SCRIPT_VERIFY_FLAGS, checker, &error)) return {};
    return to_text(ScriptErrorString(error));
}
} // namespace bridge
