"""Number marks: what people write beside a number, and what it says about the number. Facts only.

May touch: nothing.

The facts are those of ISO 4217 (currency codes), of Unicode CLDR (currencies without decimals, decimal
signs of languages), and of what shops write.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ISO 4217, former codes too.
CURRENCY_CODES = _words(
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn
    bzd cad cdf chf clp cny cop crc cup cve czk dem djf dkk dop dzd eek egp ern esp etb eur fjd fkp
    frf gbp gel ghs gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils inr iqd irr irt isk itl jmd jod
    jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl ltl lvl lyd mad mdl mga mkd mmk mnt
    mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pte pyg qar
    ron rsd rub rwf sar sbd scr sdg sek sgd shp sit skk sle sll sos srd ssp std stn syp szl thb tjs
    tmt tnd top try ttd twd tzs uah ugx usd uyu uzs ved ves vnd vuv wst xaf xcd xof xpf yer zar zmw
    zwl
    """
)
# Abbreviations and words that people write for a currency, in lower case, without a final point.
CURRENCY_WORDS = _words(
    """
    b/ b/. baht bd bds bs bsf cfa dh dhs din dinar dinara dkr dollar dollars dong dt eure euro euros
    evro f fcfa fr franc francs franken frs ft gh¢ gh₵ gs ikr jd kc kd km kn kr ksh kshs kz kč lbp
    lei lek lekë leu ls lt nis nkr nok n₫ ouguiya peso pesos pound pounds q qr r re reais reales
    ringgit rm rmb rp rs rupee rupees rupiah s/ s/. sek. sfr sfrs sh skr sr tenge tk tl tsh u$s ush
    vnđ won yen yuan zl zł đ đồng ƒ ευρώ гривен грн дinара ден дин динар драм лари лв лева ман мкд р
    руб рублей рубль рубля сом сум тг тенге тңг դր שח تومان ج.م جنيه د.أ د.إ د.ب د.ت د.ج د.ع د.ك د.ل
    د.م درهم دينار ر.س ر.ع ر.ق ر.ي ريال ریال ل.س ل.ل रु रुपये रू টকা บาท 元 円 圆 圓 圜 块 원
    """
)
# Their smallest coin is a whole unit: three digits behind either sign are thousands.
GROUPED_BY_BOTH = _words(
    """
    afn all bif cfa cl$ clp clp$ co$ col$ cop crc din dinara djf dong esp fcfa ft gnf gs huf idr ikr
    iqd irr irt isk itl jpy kmf kpw krw lak lbp lek lekë mga mmk mnt pte pyg rp rsd rupiah rwf sll
    sos syp tsh tzs ugx ush uzs vnd vnđ vuv won xaf xof xpf yen yer đ đồng дин динар تومان ریال ₡ ₩
    ₫ ₭ ₮ ₲ 円 원 ﷼
    """
)
# Written with a decimal point where they are paid with: three digits behind a comma are thousands.
GROUPED_BY_COMMA = _words(
    """
    a$ aed au$ aud aud$ baht bbd bds$ bdt bn$ bsd bz$ cny cn¥ dop egp etb gbp ghs gh₵ gtq hk$ hkd
    hnl ils inr j$ jmd kes ksh kshs lkr mx$ mxn myr ngn npr nt$ nz$ nzd nzd$ php pkr pound pounds q
    qar rd$ re ringgit rm rmb rs rupee rupees s$ sar sg$ sgd sgd$ thb tk tt$ ttd twd us$ usd usd$
    yuan £ ¥ د.إ ر.س ر.ق ৳ บาท ฿ ₦ ₨ ₪ ₱ ₵ ₹ 元 圆 块
    """
)
# Written with a decimal comma: three digits behind a point are thousands.
GROUPED_BY_POINT = _words(
    """
    $u ar$ ars bam bgn brl czk dkk dkr hrk kc km kn kr kč lei leu mkd nkr nok pln r$ reais ron rub
    sek skr tl try u$s uah uyu zl zł грн ден лв лева р руб рублей рубля ₴ ₺ ₽
    """
)
# Behind a number of hundredths of a currency.
HUNDREDTHS = _words(
    """
    cent cents ct cts p paise pence rappen ¢ øre коп копеек копейки
    """
)
# Between the two ends of a range.
RANGE_WORDS = _words(
    """
    a al and au bis do or through til till to tot until à до
    """
)
# Languages whose countries all have a decimal comma, but for those below.
_COMMA_LANGUAGES = _words(
    """
    af az be bg bs ca cs da de el et eu fi fr gl hr hu hy id is it ka kk ky lt lv mk nb nl nn no pl
    pt ro ru sk sl sq sr sv tr uk uz vi
    """
)
_POINT_LANGUAGES = _words(
    """
    am cy en fil ga gu he hi ja kn ko ml mr ms mt my ne pa si ta te th ur yi zh
    """
)
# What stands between a number and the whole of which it is a part: 4.5 out of 5.
OF = frozenset(("out of", "of", "von", "sur", "de", "su", "di", "van", "av", "af", "z", "из", "out of:"))
# Words behind a number that multiply it, in lower case, without a final point. None: in more than one way.
FACTORS: dict[str, int | None] = {
    **dict.fromkeys(
        ("thousand", "tsd", "tausend", "тыс", "тис", "tys", "tis", "mille", "bin", "rb", "ribu"), 10**3
    ),
    **dict.fromkeys(("mila", "ezer", "nghìn", "ngàn", "duizend", "tusen", "tusind"), 10**3),
    **dict.fromkeys(("mil", "千", "천", "k€", "k$", "k£", "keur", "kusd", "kchf"), 10**3),
    **dict.fromkeys(("lakh", "lac", "lakhs", "lacs"), 10**5),
    **dict.fromkeys(("crore", "crores"), 10**7),
    **dict.fromkeys(
        ("million", "millions", "millionen", "mio", "mln", "млн", "milyon", "juta", "m€", "meur"), 10**6
    ),
    **dict.fromkeys(
        ("millón", "millones", "milhão", "milhões", "miljoen", "milioni", "milione", "triệu", "jt"), 10**6
    ),
    **dict.fromkeys(("milliard", "milliards", "milliarden", "mrd", "mld", "млрд", "miljard", "bn"), 10**9),
    **dict.fromkeys(("万", "萬", "만"), 10**4),
    **dict.fromkeys(("億", "亿", "억"), 10**8),
    **dict.fromkeys(
        ("hundred", "billion", "billions", "billionen", "trillion", "teur", "t€", "tchf", "兆", "조"), None
    ),
    **dict.fromkeys(("百", "백", "十", "십", "cr", "dozen", "pct", "percent", "prozent", "bps"), None),
    **dict.fromkeys(("grand", "tr", "tỷ", "χιλ", "χιλιάδες", "εκατ", "εκατομμύρια", "δισ"), None),
}
# Scripts that write such a word with marks, or without a blank before the currency: its beginning.
FACTOR_STARTS = (
    *("พัน", "หมื่น", "แสน", "ล้าน", "हज़ार", "हजार", "लाख", "करोड़", "करोड"),
    *("ألف", "آلاف", "مليون", "ملايين", "مليار", "هزار", "میلیون", "میلیارد", "אלף", "מיליון"),
)
# Words before a number that make it negative.
MINUS_WORDS = frozenset(
    ("minus", "negative", "moins", "menos", "meno", "negativ", "минус", "мінус", "miinus", "mínusz", "eksi")
)
# Letters that touch a number and multiply it, if it is an amount of money.
SUFFIXES = {"k": 10**3, "K": 10**3, "M": 10**6, "MM": None, "B": 10**9, "m": None, "b": None, "T": None}
_SPANISH = dict.fromkeys(["ar", "bo", "cl", "co", "cr", "ec", "es", "py", "uy", "ve"], ",") | dict.fromkeys(
    ["419", "do", "gt", "hn", "mx", "ni", "pa", "pe", "pr", "sv", "us"], "."
)
_OTHER_REGIONS = {"de-ch": ".", "de-li": ".", "it-ch": "."}
# Written in either way: English on the continent and in South Africa, French in Switzerland.
_MIXED_REGIONS = frozenset(
    ["en-150", "en-at", "en-be", "en-de", "en-dk", "en-fi", "en-nl", "en-se", "en-si", "en-za", "fr-ch"]
)


def decimal_of_language(language: str | None) -> str | None:
    """The decimal sign of a language tag (BCP 47) such as `de` or `es-MX`; None where that is open."""
    parts = (language or "").lower().replace("_", "-").split("-")
    region = next((part for part in parts[1:] if len(part) == 2 or part.isdigit()), "")
    tag = f"{parts[0]}-{region}"
    if tag in _MIXED_REGIONS:
        return None
    if parts[0] == "es":
        return _SPANISH.get(region)
    if tag in _OTHER_REGIONS:
        return _OTHER_REGIONS[tag]
    return "," if parts[0] in _COMMA_LANGUAGES else "." if parts[0] in _POINT_LANGUAGES else None
