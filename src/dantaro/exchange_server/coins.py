"""The coins of the simulated exchanges: real tickers and names, invented behaviour.

Prices are where the simulation starts, in USD; turnover is millions of USD a day on Binance; `beta` is
the share in the market's moves; `hourly_percent` the coin's own moves in an hour.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a coin's price comes about."""

    COIN = "coin"
    PEGGED = "pegged"  # a stablecoin or a currency: its own small moves only
    WRAPPED = "wrapped"  # follows Bitcoin
    LEVERAGED = "leveraged"  # three times Bitcoin's moves


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin of the simulated world; `on_upbit`: also quoted in KRW."""

    ticker: str
    name: str
    price: float
    turnover: float
    beta: float
    hourly_percent: float
    sector: int
    on_upbit: bool = True
    kind: Kind = Kind.COIN


SECTORS = 6  # money, platforms, finance, games, memes, tools

BITCOIN = 0  # its place in COINS

# fmt: off
COINS: tuple[Coin, ...] = (
    Coin("BTC", "Bitcoin", 43000, 1400, 1.0, 0.10, 0),
    Coin("ETH", "Ethereum", 2300, 900, 1.15, 0.22, 1),
    Coin("XRP", "XRP", 0.62, 190, 0.95, 0.40, 0),
    Coin("SOL", "Solana", 101, 420, 1.4, 0.42, 1),
    Coin("BNB", "BNB", 315, 160, 0.9, 0.25, 1, on_upbit=False),
    Coin("ADA", "Cardano", 0.60, 95, 1.2, 0.35, 1),
    Coin("DOGE", "Dogecoin", 0.092, 150, 1.25, 0.45, 4),
    Coin("TRX", "TRON", 0.108, 40, 0.6, 0.25, 1),
    Coin("AVAX", "Avalanche", 38.5, 90, 1.4, 0.45, 1),
    Coin("DOT", "Polkadot", 8.2, 60, 1.25, 0.36, 1),
    Coin("LINK", "Chainlink", 15.2, 75, 1.25, 0.40, 2),
    Coin("POL", "Polygon Ecosystem Token", 0.97, 65, 1.3, 0.38, 1),
    Coin("LTC", "Litecoin", 73, 55, 0.95, 0.28, 0, on_upbit=False),
    Coin("BCH", "Bitcoin Cash", 262, 48, 1.1, 0.40, 0),
    Coin("UNI", "Uniswap", 7.3, 32, 1.2, 0.45, 2),
    Coin("ATOM", "Cosmos", 10.6, 38, 1.15, 0.36, 1),
    Coin("ETC", "Ethereum Classic", 21.8, 45, 1.15, 0.40, 0),
    Coin("XLM", "Stellar", 0.129, 22, 0.95, 0.38, 0),
    Coin("FIL", "Filecoin", 6.8, 40, 1.3, 0.45, 5, on_upbit=False),
    Coin("NEAR", "NEAR Protocol", 3.6, 42, 1.4, 0.50, 1),
    Coin("APT", "Aptos", 9.4, 45, 1.35, 0.48, 1),
    Coin("ARB", "Arbitrum", 1.6, 55, 1.35, 0.48, 1),
    Coin("OP", "Optimism", 3.7, 50, 1.4, 0.50, 1, on_upbit=False),
    Coin("SUI", "Sui", 0.78, 60, 1.4, 0.55, 1),
    Coin("INJ", "Injective", 37, 38, 1.5, 0.60, 2, on_upbit=False),
    Coin("HBAR", "Hedera", 0.087, 18, 1.05, 0.40, 1),
    Coin("VET", "VeChain", 0.034, 16, 1.15, 0.40, 5),
    Coin("ALGO", "Algorand", 0.22, 14, 1.15, 0.40, 1),
    Coin("AAVE", "Aave", 109, 22, 1.25, 0.45, 2),
    Coin("SAND", "The Sandbox", 0.59, 18, 1.3, 0.45, 3),
    Coin("MANA", "Decentraland", 0.52, 14, 1.25, 0.45, 3),
    Coin("AXS", "Axie Infinity", 8.8, 12, 1.3, 0.48, 3),
    Coin("GRT", "The Graph", 0.18, 15, 1.3, 0.48, 5),
    Coin("XTZ", "Tezos", 1.0, 9, 1.05, 0.38, 1),
    Coin("THETA", "Theta Network", 1.25, 10, 1.2, 0.45, 5),
    Coin("FLOW", "Flow", 0.90, 8, 1.15, 0.45, 1),
    Coin("CHZ", "Chiliz", 0.088, 11, 1.1, 0.45, 3),
    Coin("CRV", "Curve", 0.60, 16, 1.25, 0.55, 2),
    Coin("SNX", "Synthetix", 3.9, 8, 1.3, 0.55, 2, on_upbit=False),
    Coin("COMP", "Compound", 58, 7, 1.2, 0.50, 2),
    Coin("ENJ", "Enjin Coin", 0.36, 5, 1.2, 0.50, 3, on_upbit=False),
    Coin("BAT", "Basic Attention Token", 0.24, 5, 1.1, 0.42, 5),
    Coin("ZIL", "Zilliqa", 0.024, 4, 1.15, 0.48, 1),
    Coin("KAVA", "Kava", 0.84, 4, 1.15, 0.50, 2),
    Coin("IOTA", "IOTA", 0.25, 4, 1.05, 0.45, 5),
    Coin("NEO", "NEO", 13.6, 7, 1.1, 0.42, 1),
    Coin("QTUM", "Qtum", 3.5, 4, 1.1, 0.45, 1),
    Coin("ICX", "ICON", 0.25, 2, 1.1, 0.55, 1),
    Coin("STX", "Stacks", 1.5, 20, 1.4, 0.60, 1),
    Coin("SEI", "Sei", 0.55, 35, 1.4, 0.65, 1),
    Coin("TIA", "Celestia", 12.5, 32, 1.4, 0.68, 1),
    Coin("PEPE", "Pepe", 0.0000135, 120, 1.5, 0.75, 4),
    Coin("SHIB", "Shiba Inu", 0.0000104, 70, 1.25, 0.48, 4),
    Coin("GALA", "Gala", 0.030, 15, 1.3, 0.55, 3, on_upbit=False),
    Coin("IMX", "Immutable", 2.3, 14, 1.35, 0.58, 3),
    Coin("MASK", "Mask Network", 3.8, 9, 1.2, 0.70, 5),
    Coin("BLUR", "Blur", 0.46, 10, 1.3, 0.68, 3),
    Coin("1INCH", "1inch", 0.45, 6, 1.2, 0.50, 2),
    Coin("USDC", "USD Coin", 1.0, 320, 0.0, 0.004, 0, kind=Kind.PEGGED),
    Coin("FDUSD", "First Digital USD", 1.0, 260, 0.0, 0.006, 0, on_upbit=False, kind=Kind.PEGGED),
    Coin("EUR", "Euro", 1.10, 18, 0.0, 0.05, 0, on_upbit=False, kind=Kind.PEGGED),
    Coin("WBTC", "Wrapped Bitcoin", 43000, 12, 1.0, 0.02, 0, on_upbit=False, kind=Kind.WRAPPED),
    Coin("BTCUP", "BTCUP", 24, 3, 3.0, 0.0, 0, on_upbit=False, kind=Kind.LEVERAGED),
)

# Coins that come and go: one is listed and one delisted every thirty days, after six such periods.
PASSING: tuple[Coin, ...] = (
    Coin("ACE", "Fusionist", 8.9, 9, 1.3, 0.9, 3),
    Coin("AEVO", "Aevo", 2.6, 12, 1.3, 0.9, 2),
    Coin("ALT", "AltLayer", 0.33, 14, 1.4, 0.9, 1),
    Coin("BB", "BounceBit", 0.41, 8, 1.3, 1.0, 1),
    Coin("CATI", "Catizen", 0.72, 6, 1.2, 1.1, 3),
    Coin("DYM", "Dymension", 5.4, 10, 1.4, 0.8, 1),
    Coin("ENA", "Ethena", 0.88, 30, 1.5, 0.9, 2),
    Coin("ETHFI", "ether.fi", 3.9, 14, 1.4, 0.9, 2),
    Coin("HMSTR", "Hamster Kombat", 0.0052, 5, 1.2, 1.2, 3),
    Coin("IO", "io.net", 3.4, 9, 1.3, 1.0, 5),
    Coin("LISTA", "Lista DAO", 0.62, 5, 1.2, 1.0, 2),
    Coin("MANTA", "Manta Network", 2.3, 12, 1.4, 0.9, 1),
    Coin("NFP", "NFPrompt", 0.58, 5, 1.2, 1.1, 5),
    Coin("NOT", "Notcoin", 0.011, 25, 1.4, 1.1, 4),
    Coin("OMNI", "Omni Network", 18.5, 6, 1.3, 1.0, 1),
    Coin("PIXEL", "Pixels", 0.48, 8, 1.3, 0.9, 3),
    Coin("PORTAL", "Portal", 1.3, 7, 1.3, 1.0, 3),
    Coin("REZ", "Renzo", 0.14, 5, 1.3, 1.1, 2),
    Coin("SAGA", "Saga", 2.9, 8, 1.3, 0.9, 1),
    Coin("STRK", "Starknet", 1.9, 18, 1.4, 0.8, 1),
    Coin("TNSR", "Tensor", 1.1, 6, 1.3, 1.0, 3),
    Coin("W", "Wormhole", 0.66, 15, 1.4, 0.9, 5),
    Coin("XAI", "Xai", 0.83, 9, 1.3, 1.0, 3),
    Coin("ZK", "ZKsync", 0.19, 14, 1.4, 0.9, 1),
)
# fmt: on

# Quoted on Upbit in Bitcoin and in Tether, thinly.
IN_BITCOIN = ("ETH", "XRP", "SOL", "ADA", "LINK", "ATOM")
IN_TETHER = ("BTC", "ETH", "XRP", "SOL")
