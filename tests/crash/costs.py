"""What the cost ledger has to say after every disturbed run."""

from collections.abc import Collection

from imagebatch.state.costs import CostText, settled


def costs_wrong(ledger: CostText, billed: Collection[str], others: Collection[tuple[str, str]] = ()) -> list[str]:
    """In words, where the ledger does not agree with the provider's bills (the tokens of creates), or repeats itself.

    `others` are retries and purchases that were billed, each as step and token. What nobody could know may stand there
    without a bill; no bill may be missing, and nothing is paid that was not billed.
    """
    now: dict[tuple[str, str, int, str], object] = {}
    wrong = []
    for line in ledger.lines:
        if now.get(line.key) == line.said and line.state != "not_paid":  # a token may be refused more than once
            wrong.append(f"the cost ledger says it twice, one after the other: {line}")
        now[line.key] = line.said
    last = {line.token: line.state for line in settled(ledger.lines) if line.step == "create"}
    missing = [token for token in billed if last.get(token) in {None, "not_paid"}]
    wrong += [f"billed, and not in the cost ledger: {token}" for token in sorted(missing)]
    told = {(line.step, line.token) for line in ledger.lines if line.state != "not_paid"}
    strange = [f"{step} of {token}" for step, token in others if (step, token) not in told]
    wrong += [f"billed, and not in the cost ledger: {one}" for one in sorted(strange)]
    paid = {token for token, state in last.items() if state in {"paid", "billed"}}
    wrong += [f"in the cost ledger as paid, and never billed: {token}" for token in sorted(paid - {*billed})]
    return wrong
