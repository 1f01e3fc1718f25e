"""Numbers: the notations of the web, each with the one number that it means, or the reason why it has none.

The cases follow what the test tables of well-kept parsers of prices and numbers agree on (price-parser,
monetize, currency.js), the number patterns of Unicode CLDR and the codes of ISO 4217.
"""

from __future__ import annotations

import pytest

from penstock.crawler.config.number_marks import decimal_of_language
from penstock.crawler.config.numbers import (
    LINE_BREAK,
    MAX_SHOWN,
    RUN_TOGETHER,
    UnreadableNumber,
    read_number,
)

NB, NNB, THIN = "\u00a0", "\u202f", "\u2009"

CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
    KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
    VUV WST XAF XCD XOF XPF YER ZAR ZMW
"""
MARKS = """
    $ US$ A$ AU$ C$ CA$ NZ$ HK$ S$ NT$ R$ MX$ AR$ RD$ TT$ J$ Bds$ BZ$ BN$ N$ T$ WS$ CL$ CO$ $U € £ ¥
    ￥ CN¥ ₩ ₹ ₽ ₺ ₴ ₫ ₪ ฿ ₱ ₦ ₡ ₲ ₵ GH₵ ₭ ₮ ₸ ₼ ₾ ₿ ₨ ៛ ﷼ ؋ ֏ ৳ ƒ Rs Rs. Re. Rp Rp. RM kr kr. Kr. zł
    Kč Ft Fr Fr. SFr. Sfr. CHF FCFA CFA DH Dhs KSh Ksh TSh USh S/ S/. B/. Bs Bs. Gs. lei Lei leu лв
    лв. руб руб. р. грн грн. ден дин. din. Dinara KM TL Lt Ls R Q DKK EUR eur euro Euro euros
    dollars pounds د.إ د.إ.‏ ر.س ر.ق د.ك د.ع ر.ع د.ج د.م د.ت د.ل ل.س د.ب د.أ ج.م ل.ل درهم ريال جنيه
    تومان 円 元 원 บาท đ VNĐ тг тг. сом сум रु টকা
"""

READ = {
    # plain, decimal point, decimal comma
    "0": 0,
    "67": 67,
    "1000": 1000,
    "51.77": 51.77,
    "12,5": 12.5,
    "0.5": 0.5,
    ".5": 0.5,
    ",5": 0.5,
    "5.": 5,
    "3,14159": 3.14159,
    "34.992001": 34.992001,
    "1.11000000000000009770": 1.1100000000000000977,
    "12345.678": 12345.678,
    "12345,678": 12345.678,
    "0.500": 0.5,
    "0,125": 0.125,
    "1.2345": 1.2345,
    "007": 7,
    "+5": 5,
    "~5": 5,
    # grouped
    "1,299.00": 1299,
    "1.299,00": 1299,
    "1,234,567": 1234567,
    "1.234.567": 1234567,
    "1.234.567,89": 1234567.89,
    "1,234.567": 1234.567,
    "1.234,567": 1234.567,
    "1'234.50": 1234.5,
    "1’234.50": 1234.5,
    "1'234'567": 1234567,
    "1'234.567": 1234.567,
    "1 234,56": 1234.56,
    f"1{NB}234,56": 1234.56,
    f"1{NNB}234,56": 1234.56,
    f"1{THIN}234,56": 1234.56,
    "1 234,567": 1234.567,
    f"1{NB}299": 1299,
    "1 234 567": 1234567,
    "40 130": 40130,
    "1 120 900": 1120900,
    "1,23,456.78": 123456.78,
    "12,34,567": 1234567,
    "₹1,23,456": 123456,
    # signs
    "-5": -5,
    "−5": -5,
    "-$5.00": -5,
    "$-5.95": -5.95,
    "$ -5.95": -5.95,
    "EUR -5": -5,
    "$5.95-": -5.95,
    "-.5": -0.5,
    "−5,00 €": -5,
    "Total: -$5.00": -5,
    "balance -5": -5,
    "Price - 5.00": 5,
    "Price – 5.00": 5,
    "Price: 5.00": 5,
    "EUR - 5": 5,
    "-R$ 5": -5,
    # decimals left out, units before the sign left out
    "12,-": 12,
    "12.–": 12,
    "12,—": 12,
    "Fr. 12.–": 12,
    "EUR 12.-": 12,
    "1.899,-": 1899,
    "1'899.-": 1899,
    "-,50": 0.5,
    "–,50 €": 0.5,
    # the point of an abbreviation is none of the number
    "Rs.500": 500,
    "Rs. 500.50": 500.5,
    "kr.123,45": 123.45,
    "S/.25.00": 25,
    "B/.5.00": 5,
    "Fr.12.50": 12.5,
    "лв.12": 12,
    "$.99": 0.99,
    "US$.99": 0.99,
    "€ .99": 0.99,
    # around the number
    "Price: $129.00": 129,
    "From $109.90": 109.9,
    "from 10": 10,
    "ab 12,50 €": 12.5,
    "14,90 zł": 14.9,
    "£94.50 GBP": 94.5,
    "US$:12.99": 12.99,
    "SGD$4.90": 4.9,
    "SGD4.90 $": 4.9,
    "790,00 € HT": 790,
    "18,00 € *": 18,
    "$9.99 & Under": 9.99,
    "$5.95 ea.": 5.95,
    "$5.95, each": 5.95,
    "12 reviews": 12,
    "5 kg": 5,
    "128GB": 128,
    "5 m²": 5,
    "合計1,234円": 1234,
    "约500元": 500,
    "Sale price$12.99": 12.99,
    "P500.00": 500,
    "Pris från 172 kr": 172,
    "naša cena 67,30 €": 67.3,
    "běžná cena 7 940 Kč": 7940,
    "Disponibilidade: R$60,00": 60,
    "5000 FCFA": 5000,
    # a currency between units and cents; a blank behind the decimal sign
    "35€99": 35.99,
    "35€ 99": 35.99,
    "1 235€99": 1235.99,
    "$119. 95": 119.95,
    "36. 24": 36.24,
    "1.837, 32 €": 1837.32,
    # other digits and widths
    "１，２３４．５０": 1234.5,
    "￥１２００": 1200,
    "١٢٣": 123,
    "١٬٢٣٤٫٥٠": 1234.5,
    "۱۲۳٫۵": 123.5,
    "१,२३,४५६.७८": 123456.78,
    "๑๒.๕": 12.5,
    "\u200e12.50\u200f": 12.5,
    # exponents and factors
    "1e3": 1000,
    "1.5E+3": 1500,
    "2.5e-3": 0.0025,
    "1.234e3": 1234,
    "$5k": 5000,
    "€1.26K": 1260,
    "$1.2M": 1200000,
    "$2.45B": 2450000000,
    "5 k€": 5000,
    "1.5M €": 1500000,
    "2 Mio. €": 2000000,
    "1,5 Mrd. €": 1500000000,
    "3 million": 3000000,
    "5 тыс. руб.": 5000,
    "2,5 млн": 2500000,
    "10 lakh": 1000000,
    "2 crore": 20000000,
    "3.5万円": 35000,
    "2億円": 200000000,
    "5만원": 50000,
    "R$ 10 mil": 10000,
    # several numbers of which one is meant
    "now only 5 €, was 7": 5,
    "$40 -20%": 40,
    "-5% 6 140,00 €": 6140,
    "34.12 (40.94 inc VAT)": 34.12,
    "1,99 € (1 kg = 3,98 €)": 1.99,
    "4.5 out of 5": 4.5,
    "125,00 125,00 €": 125,
    "3 of 10": 3,
    # a currency tells what three digits are
    "$1,234": 1234,
    "US$ 1,234": 1234,
    "£1,234": 1234,
    "1,234 USD": 1234,
    "Rs1,599": 1599,
    "¥12,345": 12345,
    "12,345円": 12345,
    "12.345 JPY": 12345,
    "Rp 169.000": 169000,
    "169.000 ₫": 169000,
    "8.000.000 ₫": 8000000,
    "157,000 تومان": 157000,
    "R$ 1.234": 1234,
    "1.234 kr": 1234,
    "1.234 zł": 1234,
    "1.234 TL": 1234,
    "₩1,234": 1234,
    "1.234 Ft": 1234,
    "NT$12,345": 12345,
    "AED 1,234": 1234,
    "5.000 din.": 5000,
    "€1,234.50": 1234.5,
}

WORDS_AROUND = {
    "5 mila euro": 5_000,
    "5 ezer Ft": 5_000,
    "500 nghìn": 500_000,
    "Rp 1,5 jt": 1_500_000,
    "₹ 5 lacs": 500_000,
    "\u27965": -5,
    "terminus 5": 5,
}

UNREAD = {
    "ambiguous number": [
        "1.234",
        "1,234",
        "12.345",
        "12,345",
        "123.456",
        "123,456",
        "1.000",
        "-1.234",
        "€1.234",
        "1.234 €",
        "73,460 €",
        "1,234 €",
        "$1.234",
        "1,234 $",
        "$3.459/gal",
        "1,459 €/l",
        "R$ 5,899",
        "CHF 1.234",
        "KD 1.234",
        "1.234 KWD",
        "1,234 TND",
        "1,234 kr",
        "R8,499",
        "1,234 XYZ",
        "CAD 1,234",
        "１．２３４",
        "1.234 kg",
        "129.900",
    ],
    "no number": ["", "sold out", "Free", "Free!", "/", "½", "CND", "一二三"],
    "part of a word": ["A4", "iPhone13", "SKU-123", "v2", "1_000", "10x20cm", "12h30", "0x1F"],
    "a percentage": ["50%", "40% OFF", "-20 %", "٥٠٪"],
    "a range": [
        "10-20",
        "10–20",
        "$5.95-10.95",
        "$5.95 - 10.95",
        "$5.95 - $10.95",
        "841,00 zł – 995,00 zł",
        "From 26 to 50 €",
        "26 bis 50 €",
        "555-1234",
        "2026-11-21",
        "10 ~ 20",
    ],
    "several numbers": [
        "2 for 5",
        "2 for $5",
        "3 Ausgaben für nur 14,85 EUR",
        "Size 5 12.99",
        "1 2 3",
        "+49 30 1234567",
        "1 1/2",
    ],
    "several prices": [
        "$20 $15",
        "R$ 139,99 R$ 135,99",
        "3200 руб. 1500 руб.",
        "Was: $124.95 Now: $99.00",
        "5 ft 10 ft",
    ],
    "a fraction, a date": ["3/4", "03/04/2026", "12:30", "4.5/5", "10 x 20 cm", "10 × 20"],
    "a fraction or a power": ["1½", "10³", "5²"],
    "no number in a known notation": [
        "1.2.3",
        "1..2",
        "12,34,5",
        "21.11.2026",
        "192.168.1.1",
        "1,000,00",
        "19.12.89",
        "1.234.56",
        "$..75",
        "123.34,56'89 EUR",
        "1,2345,6789",
    ],
    "in brackets": ["(5.00)", "($5.00)", "(128)"],
    "minus sign": ["- 5.00", "- $44.99", "100-", "-$5.95-", "5,50 €-", "5,50 € -", "5 EUR-"],
    "before the number": ["minus 5", "Minus: 5", "minus $5", "moins 5,50 €", "menos 5", "минус 5"],
    "may multiply": [
        "5k",
        "4K",
        "1.2M",
        "500 TEUR",
        "TEUR 500",
        "500 T€",
        "1 billion",
        "1 Billion Euro",
        "3百",
        "10 grand",
        "5 tr đ",
        "$2.5 K",
        "$5 M",
        "₹2.5L",
        "₹ 5 L",
    ],
    "multiplies it": ["5 แสน", "5 ล้านบาท", "5 लाख", "5 करोड़", "5 مليون", "5 هزار تومان"],
    "hundredths": ["99¢", "50p", "99 cents", "49 ct", "50 коп."],
    "leading 0": ["0 800 123 456", "030 123 456"],
    "digits": ["9" * 50],
    "run together": [f"12{RUN_TOGETHER}99"],
}


@pytest.mark.parametrize(("text", "value"), list((READ | WORDS_AROUND).items()))
def test_a_number_is_read_in_the_notation_that_it_shows(text: str, value: float) -> None:
    assert float(read_number(text)) == value


@pytest.mark.parametrize(
    ("text", "problem"), [(text, problem) for problem, texts in UNREAD.items() for text in texts]
)
def test_what_could_be_two_numbers_is_named_and_not_guessed(text: str, problem: str) -> None:
    with pytest.raises(UnreadableNumber, match=problem):
        read_number(text)


class TestCurrencies:
    @pytest.mark.parametrize("mark", [*CODES.split(), *MARKS.split()])
    def test_a_currency_may_stand_on_either_side_with_and_without_a_blank(self, mark: str) -> None:
        for text in (
            f"{mark} 1234.50",
            f"{mark}1234.50",
            f"1234.50 {mark}",
            f"1234,50{NB}{mark}",
            f"1.234,50 {mark}",
        ):
            assert float(read_number(text)) == 1234.5, text

    @pytest.mark.parametrize("mark", [*CODES.split(), *MARKS.split()])
    @pytest.mark.parametrize("form", ["{mark} 1.234", "{mark} 1,234", "1.234 {mark}", "1,234 {mark}"])
    def test_three_digits_behind_a_sign_are_thousands_or_ambiguous(self, mark: str, form: str) -> None:
        """Never a fraction by guess: a factor of 1,000."""
        try:
            found = read_number(form.format(mark=mark))
        except UnreadableNumber as problem:
            found = str(problem)

        assert found == "1234" or found.startswith("ambiguous number")


class TestDecimalSign:
    def test_a_rule_says_which_sign_is_the_decimal_sign(self) -> None:
        assert read_number("1.234", decimal=",") == "1234"
        assert read_number("1,234", decimal=",") == "1.234"
        assert read_number("1.234", decimal=".") == "1.234"
        assert read_number("140.000 €", decimal=",") == "140000"
        assert read_number("$1,234", decimal=",") == "1.234"

    @pytest.mark.parametrize(
        ("text", "decimal"), [("12.50", ","), ("12,50", "."), ("1,234.50", ","), ("1.234,50", ".")]
    )
    def test_a_number_that_contradicts_its_rule_is_no_number(self, text: str, decimal: str) -> None:
        """12.50 is not 1250, whatever the rule says."""
        with pytest.raises(UnreadableNumber, match="known notation"):
            read_number(text, decimal=decimal)

    @pytest.mark.parametrize(
        ("language", "sign"),
        [
            ("de", ","),
            ("de-DE", ","),
            ("de-AT", ","),
            ("de-CH", "."),
            ("en", "."),
            ("en-US", "."),
            ("en_GB", "."),
            ("fr", ","),
            ("pt-BR", ","),
            ("ja", "."),
            ("zh-Hans-CN", "."),
            ("es-ES", ","),
            ("es-MX", "."),
            ("es-419", "."),
            ("ES-ar", ","),
            ("sr-Latn-RS", ","),
            ("sv", ","),
            # Written in either way, or unknown.
            ("es", None),
            ("en-ZA", None),
            ("en-DE", None),
            ("fr-CH", None),
            ("ar", None),
            ("x", None),
            ("", None),
            (None, None),
        ],
    )
    def test_a_page_language_has_one_or_both(self, language: str | None, sign: str | None) -> None:
        assert decimal_of_language(language) == sign


def test_a_line_break_groups_no_digits() -> None:
    with pytest.raises(UnreadableNumber, match="several numbers"):
        read_number(f"1{LINE_BREAK}299")
    assert read_number(f"1.299,00{LINE_BREAK}EUR") == "1299.00"
    assert read_number(f"${LINE_BREAK}1,299") == "1299"


def test_no_text_of_a_page_makes_it_slow_or_the_message_long() -> None:
    for text in (
        "1 2 " * 30_000,
        "1," * 50_000,
        "A1" * 50_000,
        "1%" * 50_000,
        "-" * 100_000,
        "9" * 100_000,
        "$" * 100_000,
        "1e1" * 30_000,
    ):
        with pytest.raises(UnreadableNumber) as caught:
            read_number(text)
        assert len(str(caught.value)) < MAX_SHOWN + 100
