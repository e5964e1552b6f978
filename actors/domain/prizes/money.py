"""Amounts of money as integers of a currency's smallest unit, and as the decimal texts that the contract shows.

A currency has as many decimals as ISO 4217 gives it: 0 for the yen, 3 for the dinar of Bahrain. Items count as a currency without
decimals. Nothing here rounds.
"""

from __future__ import annotations

import re
from typing import Final

# ISO 4217, list one as published on 2026-01-01 by SIX, the maintenance agency (the data of the PyPI package iso4217 1.16.20260101).
# Funds codes are in it; what has no minor unit there (gold, special drawing rights, test codes) cannot be paid out and is not.
_CODES_BY_DECIMALS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
        CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
        IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
        MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
        SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
        YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMALS: Final = {code: decimals for decimals, codes in _CODES_BY_DECIMALS.items() for code in codes.split()}
MAX_UNITS: Final = 10**15  # of one prize: a BIGINT holds the sum of thousands of the largest
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]{1,4}))?", re.ASCII)


def decimals_of(currency: str) -> int:
    """How many decimals a currency has. Raises ValueError for what is no currency that can be paid out."""
    try:
        return DECIMALS[currency]
    except KeyError:
        raise ValueError(f"expected a currency of ISO 4217 such as EUR, got {currency[:20]!r}") from None


def units_of(amount: str, currency: str) -> int:
    """A decimal text as units, exactly: `100.01` of EUR is 10001. Raises ValueError for more decimals than the currency has, 0, a sign."""
    decimals = decimals_of(currency)
    matched = _AMOUNT.fullmatch(amount)
    if matched is None:
        raise ValueError(f"expected a decimal text such as 100.01, got {amount[:40]!r}")
    whole, rest = matched[1], matched[2] or ""
    if len(rest) > decimals:
        raise ValueError(f"expected at most {decimals} decimals of {currency}, got {amount!r}")
    units = int(whole + rest.ljust(decimals, "0"))
    if not 0 < units <= MAX_UNITS:
        raise ValueError(
            f"expected an amount from 1 to {MAX_UNITS} of the smallest units of {currency}, got {amount!r}"
        )
    return units


def amount_text(units: int, currency: str) -> str:
    """Units as the decimal text, with all decimals of the currency: 10001 of EUR is `100.01`."""
    decimals = decimals_of(currency)
    if not decimals:
        return str(units)
    whole, rest = divmod(units, 10**decimals)
    return f"{whole}.{rest:0{decimals}}"
