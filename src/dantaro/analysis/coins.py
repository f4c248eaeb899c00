"""What a ticker stands for: stablecoins, fiat, wrapped and leveraged tokens, and everything else.

The lists name what is known; what the lists do not know is measured (see `exclusions`).
"""

import re
from collections.abc import Collection

from dantaro.market.results import ExclusionReason


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STABLECOINS = _words(
    "AEUR AUSD BFUSD BUSD CUSD DAI EURC EURI EURQ EURR EURS EURT FDUSD GHO GUSD HUSD IDRT KRWQ "
    "LUSD MIM PAX PYUSD RLUSD SUSD SUSDE TUSD USD0 USD1 USDC USDD USDE USDG USDJ USDP USDQ USDR USDS "
    "USDT USDX USDY UST VAI XSGD XUSD ZUSD BIDR BVND BKRW TRYB USDB USDF USDTB EUROC CRVUSD "
    "DOLA FEI OUSD RSV USDK USDN USDL"
)
FIAT = _words(
    "AED ARS AUD BRL CAD CHF CNY COP CZK DKK EUR GBP HKD HUF IDR INR JPY KRW KZT MXN MYR NGN NOK NZD "
    "PHP PLN RON RUB SEK SGD THB TRY TWD UAH USD VND ZAR"
)
WRAPPED = {
    "BBSOL": "SOL",
    "BETH": "ETH",
    "BNSOL": "SOL",
    "BTCB": "BTC",
    "CBBTC": "BTC",
    "CBETH": "ETH",
    "CMETH": "ETH",
    "EETH": "ETH",
    "EZETH": "ETH",
    "FBTC": "BTC",
    "HBTC": "BTC",
    "JITOSOL": "SOL",
    "JUPSOL": "SOL",
    "LBTC": "BTC",
    "LSETH": "ETH",
    "METH": "ETH",
    "MSOL": "SOL",
    "OKSOL": "SOL",
    "OSETH": "ETH",
    "PUFETH": "ETH",
    "RENBTC": "BTC",
    "RETH": "ETH",
    "RSETH": "ETH",
    "SETH2": "ETH",
    "SOLVBTC": "BTC",
    "STETH": "ETH",
    "STMATIC": "MATIC",
    "STSOL": "SOL",
    "SWETH": "ETH",
    "TBTC": "BTC",
    "WAVAX": "AVAX",
    "WBETH": "ETH",
    "WBNB": "BNB",
    "WBTC": "BTC",
    "WEETH": "ETH",
    "WETH": "ETH",
    "WMATIC": "MATIC",
    "WSOL": "SOL",
    "WSTETH": "ETH",
    "WTRX": "TRX",
}
DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI", "USDP", "USD1", "USDG"})
"""Quote currencies that are taken as one US dollar each when turnovers are compared."""

_MAJORS = _words(
    "1INCH AAVE ADA ATOM AVAX BCH BNB BTC DOGE DOT EOS ETC ETH FIL LINK LTC MATIC SHIB SOL SUSHI SXP "
    "TRX UNI XLM XRP XTZ YFI"
)
_DIRECTIONAL = re.compile(r"^(?P<under>[A-Z0-9]+?)(?P<side>UP|DOWN|BULL|BEAR)$")
_MULTIPLE = re.compile(r"^(?P<under>[A-Z0-9]+?)(?P<factor>[2-5])(?P<side>[LS])$")
_OPPOSITE = {"UP": "DOWN", "DOWN": "UP", "BULL": "BEAR", "BEAR": "BULL", "L": "S", "S": "L"}


def classify(base: str, *, bases: Collection[str]) -> tuple[ExclusionReason, str] | None:
    """Why a coin of this ticker is not ranked, with the words for it; None for an ordinary coin.

    `bases` are all tickers of the exchange: a leveraged token is recognised by its underlying coin
    or its opposite (`BTCUP` beside `BTCDOWN`), so that JUP and SYRUP stay coins.
    """
    ticker = base.upper()
    if ticker in STABLECOINS:
        return ExclusionReason.STABLECOIN, f"{base} is a known stablecoin"
    if ticker in FIAT:
        return ExclusionReason.FIAT, f"{base} is a state currency"
    if ticker in WRAPPED:
        return ExclusionReason.WRAPPED, f"{base} is wrapped or staked {WRAPPED[ticker]}"
    underlying = leveraged_underlying(ticker, bases=bases)
    if underlying is not None:
        return ExclusionReason.LEVERAGED_TOKEN, f"{base} is a leveraged token on {underlying}"
    return None


def leveraged_underlying(ticker: str, *, bases: Collection[str]) -> str | None:
    """The coin that a leveraged token multiplies (`BTC` for BTCUP and BTC3L), or None.

    The name alone does not decide. UP, DOWN, BULL and BEAR need a major coin before them or the
    opposite token beside them; 3L and 3S (2 to 5) need any coin of the exchange before them.
    """
    directional = _DIRECTIONAL.match(ticker)
    if directional:
        under, side = directional["under"], directional["side"]
        return under if under in _MAJORS or under + _OPPOSITE[side] in bases else None
    multiple = _MULTIPLE.match(ticker)
    if multiple:
        under, factor, side = multiple["under"], multiple["factor"], multiple["side"]
        opposite = under + factor + _OPPOSITE[side]
        return under if under in _MAJORS or under in bases or opposite in bases else None
    return None
