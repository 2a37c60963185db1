"""One language table: BCP 47 in our files, and what each model family, data set and tool calls the same language.

Nothing here is a hand-made mapping. Every scheme is a list of codes as its owner spells them; `langcodes` brings both
sides to one form (aliases, macrolanguages, likely scripts), and two codes that agree there name the same language.
"""

import difflib
import re
from collections.abc import Iterable
from functools import cache

import langcodes

from koine.runtime.errors import KoineError


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SCHEMES = {
    # FLORES-200's codes, NLLB's language tokens (arXiv 2207.04672)
    "nllb": _codes("""
    ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn amh_Ethi apc_Arab arb_Arab ars_Arab
    ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn ban_Latn bel_Cyrl
    bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn
    cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn
    est_Latn eus_Latn ewe_Latn fao_Latn pes_Arab fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn gla_Latn
    gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn
    ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab
    kas_Deva kat_Geor knc_Arab knc_Latn kaz_Cyrl kbp_Latn kea_Latn khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn
    kon_Latn kor_Hang kmr_Latn lao_Laoo lvs_Latn lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn
    lua_Latn lug_Latn luo_Latn lus_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn mkd_Cyrl plt_Latn mlt_Latn
    mni_Beng khk_Cyrl mos_Latn mri_Latn zsm_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn nus_Latn
    nya_Latn oci_Latn gaz_Latn ory_Orya pag_Latn pan_Guru pap_Latn pol_Latn por_Latn prs_Arab pbt_Arab quy_Latn
    ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng scn_Latn shn_Mymr sin_Sinh slk_Latn slv_Latn smo_Latn
    sna_Latn snd_Arab som_Latn sot_Latn spa_Latn als_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn
    szl_Latn tam_Taml tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi taq_Latn taq_Tfng tpi_Latn tsn_Latn
    tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn
    vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zul_Latn"""),
    # M2M-100's languages (arXiv 2010.11125); its tokens are __xx__
    "m2m100": _codes("""
    af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy
    id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd
    si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu"""),
    # mBART-50's language tokens (arXiv 2008.00401)
    "mbart50": _codes("""
    ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX
    ro_RO ru_RU si_LK tr_TR vi_VN zh_CN af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN
    pl_PL ps_AF pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI"""),
    # MKQA's file keys (arXiv 2007.15207)
    "mkqa": _codes("""
    ar da de en es fi fr he hu it ja km ko ms nl no pl pt ru sv th tr vi zh_cn zh_hk zh_tw"""),
}
# Spellings that `langcodes` keeps apart and everybody uses for one language.
_SAME = {"no": "nb", "pbt": "ps", "quy": "qu"}
_ODD = {"ns": "nso"}  # M2M-100's Northern Sotho is no tag at all
_SHOWN = 3  # nearest languages in an error


def canonical(tag: str) -> str:
    """The shortest BCP 47 tag of a language: `eng_Latn`, `en-Latn` and `eng` are `en`.

    Raises:
        KoineError: this is no language tag.
    """
    try:
        language = _standard(tag)
    except langcodes.tag_parser.LanguageTagError:
        raise KoineError(f"{tag!r} is no language tag; BCP 47 looks like en, pt-BR or zh-Hant") from None
    if not language.is_valid():
        raise KoineError(f"{tag!r} names no language; BCP 47 looks like en, pt-BR or zh-Hant")
    return language.simplify_script().to_tag()


def is_tag(text: str) -> bool:
    """Whether a text is formed as a language tag is; `canonical` asks whether it names a language."""
    return re.fullmatch(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*", text) is not None


def likely(tag: str) -> str:
    """A tag with its likely script and country, so that all names of one language are equal: `zh` and `zh-CN`, `he` and `iw`.

    A tag that names no language is returned as it is.
    """
    try:
        language = _standard(tag).maximize()
    except langcodes.tag_parser.LanguageTagError:
        return tag
    return "-".join((_SAME.get(str(language.language), str(language.language)), str(language.script), str(language.territory)))


def find(tag: str, codes: Iterable[str], what: str) -> str:
    """Which of `codes` means the language `tag`.

    Exact matches come first, then those that agree in language, likely script and likely country (`ar` is `arb_Arab`),
    then in language and script (`pt-BR` is `por_Latn`); a bare language may also be met in an unusual script (`sat`).

    Args:
        tag: a language (BCP 47, or any spelling that `langcodes` reads).
        codes: a scheme's own codes, the most usual of two equal ones first.
        what: who speaks them, for the message.

    Raises:
        KoineError: none of them; the message lists the nearest.
    """
    codes = tuple(codes)
    index = _index(codes)
    bare = canonical(tag).isalpha()
    for form in _forms(tag):
        if form in index and (bare or len(form) > 1):
            return index[form]
    alike = difflib.SequenceMatcher(a=tag)

    def distance(code: str) -> tuple[int, float, str]:
        alike.set_seq2(_tag(code))
        return langcodes.tag_distance(tag, _tag(code)), -alike.ratio(), code

    near = sorted(codes, key=distance)[:_SHOWN]
    raise KoineError(f"{what} has no {name(tag)} ({tag}); the nearest that it has: {', '.join(map(_described, near)) or 'none'}")


def code(tag: str, scheme: str) -> str:
    """What a scheme of `SCHEMES` calls a language; errors as `find`."""
    return find(tag, SCHEMES[scheme], scheme)


def name(tag: str) -> str:
    """English name of a language, for people."""
    return str(langcodes.Language.get(tag.replace("_", "-")).display_name())


def script(tag: str) -> str:
    """The script that a language is usually written in (ISO 15924): `Latn`, `Cyrl`, `Hans`."""
    return str(_standard(tag).maximize().script or "Latn")


@cache
def _index(codes: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    """Every form of every code; a form that is more exact, or comes first, is not overwritten."""
    index: dict[tuple[str, ...], str] = {}
    forms = [(_forms(code), code) for code in codes]
    for rank in range(max((len(f) for f, _ in forms), default=0)):
        for own, code in forms:
            if rank < len(own):
                index.setdefault(own[rank], code)
    return index


@cache
def _forms(tag: str) -> list[tuple[str, ...]]:
    """Ways to say a language, the most exact first."""
    exact = langcodes.Language.get(_tag(tag), normalize=False).maximize()
    usual = _standard(tag).maximize()
    forms: list[tuple[str, ...]] = []
    for rank, language in enumerate((exact, usual)):
        own = _SAME.get(str(language.language), str(language.language))
        forms.append((own, str(language.script), str(language.territory)))
        if rank:
            forms += [(own, str(language.script)), (own,)]
    return forms


def _standard(tag: str) -> langcodes.Language:
    """A language without aliases and, unless it has a two-letter code of its own, as its macrolanguage."""
    exact = langcodes.Language.get(langcodes.standardize_tag(_tag(tag)))
    if len(exact.language or "") == 2:
        return exact
    return langcodes.Language.get(langcodes.standardize_tag(_tag(tag), macro=True))


def _tag(code: str) -> str:
    tag = _ODD.get(code, code).replace("_", "-")
    return tag[:-3] if tag.endswith("-XX") else tag  # mBART-50's "no country"


def _described(code: str) -> str:
    return f"{code} ({name(_tag(code))})"
