"""What the providers' codes mean and what to do about them, as tables.

Zalo: the phone channel's codes (ZALO) and those of the Official Account's host (OA); the same number means
something else on the other host, so a table is for one host. eSMS: CodeResult. SpeedSMS: code. Providers that
are described in config.toml: what its words for codes mean. Modem: +CMS ERROR (3GPP TS 27.005, 3.2.5; 24.011,
annex E) and +CME ERROR (27.007, 9.2). Each row has a sentence for the staff in Vietnamese and English.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.channels import Fault, Refused, Scope, Unreachable

MONTH, WEEK, TODAY = 30, 7, 1
OPTED_OUT = 365
"""Days a phone rests whose owner has refused us; following us again ends it earlier."""


@dataclass(frozen=True)
class Verdict:
    """`fault` None: not now, a repeat may work."""

    vietnamese: str
    english: str
    fault: Fault | None
    scope: Scope
    rest_days: int | None = None


def _later(vietnamese: str, english: str) -> Verdict:
    return Verdict(vietnamese, english, None, "message")


def _person(vietnamese: str, english: str, rest_days: int | None = None) -> Verdict:
    return Verdict(vietnamese, english, Fault.PERSON, "phone", rest_days)


def _config(scope: Scope, vietnamese: str, english: str) -> Verdict:
    return Verdict(vietnamese, english, Fault.CONFIG, scope)


def _quota(scope: Scope, vietnamese: str, english: str) -> Verdict:
    return Verdict(vietnamese, english, Fault.QUOTA, scope)


def _bug(vietnamese: str, english: str, scope: Scope = "message") -> Verdict:
    return Verdict(vietnamese, english, Fault.BUG, scope)


_TOKEN = Verdict("Khoá truy cập Zalo hết hạn", "the Zalo access token is dead", Fault.TOKEN, "account")
_NOT_OURS = _bug("Lỗi của chức năng hệ thống không dùng", "an error of a feature this program does not use")

ZALO: Mapping[str, Verdict] = {
    "-100": _later("Zalo gặp lỗi chưa rõ", "unknown error at Zalo"),
    "-101": _config("channel", "Ứng dụng Zalo không hợp lệ", "the Zalo app is invalid"),
    "-102": _config("channel", "Ứng dụng Zalo không tồn tại", "the Zalo app does not exist"),
    "-103": _config("channel", "Ứng dụng Zalo chưa kích hoạt", "the Zalo app is not activated"),
    "-104": _config("channel", "Khoá bí mật của ứng dụng Zalo sai", "the Zalo app's secret is wrong"),
    "-105": _config("channel", "Ứng dụng chưa liên kết với OA", "the app is not linked to an OA"),
    "-106": _bug("Zalo không hỗ trợ cách gọi này", "Zalo does not support this method", "channel"),
    "-107": _config("message", "Mã tin Zalo không hợp lệ", "the Zalo message id is invalid"),
    "-108": _person("Zalo không nhận số điện thoại này", "Zalo says the phone number is invalid"),
    "-109": _config("template", "Mã mẫu tin không hợp lệ", "the template id is invalid"),
    "-1091": _NOT_OURS,
    "-110": _person("Số này không dùng được Zalo", "this number cannot use Zalo", MONTH),
    "-111": _config("message", "Mẫu tin thiếu dữ liệu", "the template data is empty"),
    "-112": _config("message", "Dữ liệu mẫu tin không hợp lệ", "the template data is invalid"),
    "-1121": _config("message", "Tham số mẫu tin quá dài", "a template parameter is too long"),
    "-1122": _config("template", "Thiếu tham số của mẫu tin", "a template parameter is missing"),
    "-1123": _later("Zalo chưa tạo được mã QR", "Zalo could not make the QR code"),
    "-1124": _config("message", "Tham số mẫu tin sai định dạng", "a template parameter has the wrong format"),
    "-113": _config("template", "Nút của mẫu tin không hợp lệ", "a button of the template is invalid"),
    "-1131": _config("template", "Liên kết của nút không hợp lệ", "the link of a button is invalid"),
    "-114": _person("Người nhận không hoạt động hoặc từ chối", "the user is inactive or refuses", WEEK),
    "-115": _quota("account", "Tài khoản Zalo hết hạn mức", "the Zalo account is out of quota"),
    "-116": _config("message", "Nội dung tin không hợp lệ", "the text is invalid"),
    "-117": _config("template", "OA không có quyền dùng mẫu tin này", "no permission for this template"),
    "-118": _person("Số này không có tài khoản Zalo", "no Zalo account on this number", MONTH),
    "-119": _person("Tài khoản Zalo này không nhận được tin", "this Zalo account cannot receive", MONTH),
    "-120": _config("account", "OA không có quyền dùng chức năng này", "the OA lacks permission"),
    "-1201": _config("template", "OA không có quyền gửi loại tin này", "no right to this kind of message"),
    "-1202": _config("template", "OA không có quyền gửi hình ảnh", "no right to media"),
    "-121": _bug("Yêu cầu gửi Zalo bị trống", "the request body is empty"),
    "-122": _bug("Yêu cầu gửi Zalo không phải JSON", "the request body is not JSON"),
    "-123": _bug("Zalo không giải mã được RSA", "RSA decoding failed"),
    "-124": _TOKEN,
    "-1241": _config("channel", "appsecret_proof không đúng", "appsecret_proof is invalid"),
    "-125": _config("account", "Mã OA không hợp lệ", "the OA id is invalid"),
    "-126": _config("account", "Ví phát triển đã hết tiền", "the development wallet is empty"),
    "-127": _config("account", "Mẫu thử chỉ gửi được cho quản trị", "a test template goes to admins only"),
    "-128": _config("channel", "Lỗi khoá mã hoá", "encoding key error"),
    "-129": _config("channel", "Không tạo được khoá RSA", "RSA key generation failed"),
    "-130": _config("message", "Nội dung vượt giới hạn", "the content is over the limit"),
    "-131": _config("template", "Mẫu tin chưa được duyệt", "the template is not approved"),
    "-132": _config("message", "Tham số không hợp lệ", "a parameter is invalid"),
    "-133": Verdict("Không gửi được vào ban đêm", "cannot be sent at night", Fault.NIGHT, "template"),
    "-134": _person("Người nhận chưa đồng ý nhận tin", "the user has not agreed to messages"),
    "-135": _config("account", "OA chưa được phép gửi tin mẫu", "this OA may not send templates"),
    "-1351": _config("account", "OA bị Zalo chặn do vi phạm", "Zalo has blocked the OA"),
    "-136": _config("account", "Cần liên kết tài khoản Zalo Cloud", "a Zalo Cloud account must be linked"),
    "-137": _quota("account", "Tài khoản Zalo Cloud không đủ tiền", "the Zalo Cloud account has no money"),
    "-138": _config("channel", "Ứng dụng Zalo thiếu quyền", "the Zalo app lacks permission"),
    "-1381": _config("account", "Chưa cấp quyền Zalo Cloud cho ứng dụng", "no Zalo Cloud permission"),
    "-139": _person("Người nhận từ chối loại tin này", "the user refused this kind of message", OPTED_OUT),
    "-140": _person("Người nhận chưa đủ điều kiện nhận tin", "the user is not eligible", WEEK),
    "-141": _person("Người nhận từ chối tin của đơn vị", "the user refused our messages", OPTED_OUT),
    "-142": _NOT_OURS,
    "-143": _NOT_OURS,
    "-144": _quota("account", "OA đã hết hạn mức trong ngày", "the day's limit of the account is used up"),
    "-1441": _quota("account", "OA đã hết hạn mức trong tháng", "the month's limit is used up"),
    "-145": _config("template", "OA không được gửi loại nội dung này", "this content type is not allowed"),
    "-146": _config("template", "Mẫu tin bị khoá vì chất lượng thấp", "the template is off for low quality"),
    "-147": _quota("template", "Mẫu tin đã hết hạn mức trong ngày", "the template's daily limit is used up"),
    "-1471": _person("Người nhận đã nhận đủ tin trong tháng", "this user's monthly limit is reached", TODAY),
    "-1472": _person("Người nhận đã nhận đủ tin hôm nay", "this user's daily limit is reached", TODAY),
    "-148": _NOT_OURS,
    "-149": _NOT_OURS,
    "-1491": _NOT_OURS,
    "-150": _NOT_OURS,
    "-151": _config("template", "Mẫu tin không hợp với mã hoá đầu cuối", "unfit for end-to-end encryption"),
    "-152": _config("template", "Lỗi khoá mã hoá đầu cuối", "end-to-end encryption key error"),
    "-153": _config("message", "Dữ liệu không đúng quy cách", "the data violates the specification"),
    "-158": _config("message", "Tệp tải lên quá lớn", "the upload is too large"),
    "-159": _config("message", "Loại tệp tải lên không hợp lệ", "the upload has a wrong type"),
    "-160": _config("account", "Hết hạn mức tạo mẫu tin", "the template creation quota is used up"),
    "-161": _config("account", "Chế độ gửi không hợp lệ", "the sending mode is invalid"),
    "-162": _config("account", "Chưa được phép gửi vượt hạn mức", "sending over quota is not allowed"),
}

ESMS: Mapping[str, Verdict] = {
    "99": _person("Nhà cung cấp SMS chặn số này", "the SMS provider blocks this number"),
    "101": _config("channel", "Khoá eSMS sai", "the eSMS keys are wrong"),
    "102": _config("account", "Tài khoản eSMS bị khoá", "the eSMS account is locked"),
    "103": _quota("account", "Tài khoản eSMS hết tiền", "the eSMS account has no money"),
    "104": _config("account", "Tên thương hiệu chưa đăng ký", "the brandname is unknown"),
    "105": _config("message", "Mã tin eSMS không tồn tại", "the message id is unknown"),
    "106": _config("message", "Tệp ghi âm không tồn tại", "the recording is unknown"),
    "107": _config("channel", "Sai loại tin SMS", "the SMS type is wrong"),
    "108": _person("Số điện thoại không hợp lệ", "the phone number is invalid"),
    "110": _config("message", "Dữ liệu tin không đúng", "the data is incorrect"),
    "118": _config("channel", "Loại tin không được hỗ trợ", "the message type is not supported"),
    "120": _config("message", "Danh sách quá dài", "the list is too long"),
    "140": _config("channel", "Địa chỉ IP chưa được phép", "our IP address is not on the list"),
    "146": _config("template", "Nội dung không khớp mẫu đã đăng ký", "not the registered text"),
    "177": Verdict(
        "Mạng của số này chưa đăng ký tên thương hiệu",
        "the brandname is not registered with this number's network",
        Fault.CONFIG,
        "phone",
    ),
    "204": _config("account", "Mã OA không tồn tại", "the OA id is unknown"),
    "300": _config("channel", "Thiếu loại tin", "the message type is missing"),
    "301": _config("channel", "Dịch vụ không được hỗ trợ", "the service is not supported"),
}

ESMS_TAKEN = frozenset({"100", "124", "199"})
"""100 taken; 124 taken before under the same RequestId; 199 taken before and under way."""

SPEEDSMS: Mapping[str, Verdict] = {
    "007": _config("channel", "Địa chỉ IP bị khoá", "our IP address is locked"),
    "008": _config("account", "Tài khoản SpeedSMS bị khoá", "the SpeedSMS account is blocked"),
    "009": _config("account", "Tài khoản không được dùng API", "the account may not call the API"),
    "101": _config("account", "Tham số sai hoặc thiếu", "parameters are wrong or missing"),
    "105": _person("Số điện thoại không hợp lệ", "the phone number is invalid"),
    "110": _config("message", "Bảng chữ của tin không được hỗ trợ", "the text's encoding is not supported"),
    "113": _config("message", "Tin quá dài", "the text is too long"),
    "300": _quota("account", "Tài khoản SpeedSMS hết tiền", "the SpeedSMS account has no money"),
    "500": _later("SpeedSMS gặp lỗi nội bộ", "internal error at SpeedSMS"),
    # Ours: it took the order and said of this number that it is none
    "invalidPhone": _person("SpeedSMS không nhận số này", "SpeedSMS does not take this number"),
}

HTTP: Mapping[str, Verdict] = {
    "later": _later("Nhà cung cấp SMS chưa nhận được", "the SMS provider cannot take it now"),
    "person": _person("Nhà cung cấp SMS không nhận số này", "the SMS provider does not take this number"),
    "config": _config("account", "Nhà cung cấp SMS không nhận tài khoản này", "the SMS account is refused"),
    "template": _config("template", "Nội dung không khớp mẫu đã đăng ký", "not the registered text"),
    "message": _config(
        "message", "Nhà cung cấp SMS không nhận tin này", "the SMS provider refuses this text"
    ),
    "quota": _quota("account", "Tài khoản SMS hết tiền", "the SMS account has no money"),
    "bug": _bug("Yêu cầu gửi SMS không hợp lệ", "the request is invalid"),
}
"""What a described provider's codes are said to mean in config.toml."""

_SILENT = "Người này đã lâu không nhắn tin cho trang"

OA: Mapping[str, Verdict] = {
    "-32": _later("Quá nhiều yêu cầu trong một phút", "too many calls in this minute"),
    "-100": _config("message", "Tệp đính kèm đã hết hạn", "the attachment has expired"),
    "-200": _later("Zalo chưa gửi được", "Zalo could not send"),
    "-201": _config("message", "Tham số không hợp lệ", "a parameter is invalid"),
    "-201u": _person("Tài khoản Zalo này không còn đúng", "this Zalo user id is not valid"),
    "-204": _config("account", "OA đã bị khoá", "the OA is disabled"),
    "-205": _config("account", "OA không tồn tại", "the OA does not exist"),
    "-209": _config("channel", "Ứng dụng Zalo chưa kích hoạt API", "the app is not activated for the API"),
    "-210": _config("message", "Tham số vượt giới hạn", "a parameter is over the limit"),
    "-211": _quota("account", "OA đã hết hạn mức", "the OA is out of quota"),
    "-212": _config("channel", "Ứng dụng chưa đăng ký API này", "the API is not registered for the app"),
    "-213": _person("Người này không quan tâm trang", "the user does not follow the page", TODAY),
    "-216": _TOKEN,
    "-217": _person("Người này chặn lời mời của trang", "the user has blocked invitations", TODAY),
    "-218": _person("Người này đã nhận đủ tin hôm nay", "this user's quota for today is used up", TODAY),
    "-219": _config("channel", "Ứng dụng Zalo đã bị gỡ hoặc khoá", "the Zalo app is removed or disabled"),
    "-220": _TOKEN,
    "-221": _config("account", "OA cần được xác thực", "the OA must be verified"),
    "-222": _TOKEN,
    "-223": _config("account", "OA chưa cấp quyền này, cần kết nối lại", "not authorised: consent is needed"),
    "-224": _config("account", "Gói dịch vụ OA chưa đủ", "the OA's package is too low"),
    "-227": _person("Tài khoản bị khoá hoặc lâu không dùng", "the user is banned or inactive", WEEK),
    "-230": _person(f"{_SILENT} (7 ngày)", "the user has not written within 7 days"),
    "-232": _person(_SILENT, "the user has not written, or it is too long ago"),
    "-233": _config("message", "Loại tin không được hỗ trợ", "this kind of message is not supported"),
    "-234": Verdict("Không gửi được vào ban đêm", "cannot be sent at night", Fault.NIGHT, "template"),
    "-235": _config("account", "Loại OA này không dùng được API", "the API is not for this type of OA"),
    "-237": _NOT_OURS,
    "-238": _NOT_OURS,
    "-240": _bug("Zalo đã đóng API phiên bản 2", "Zalo has shut version 2 of the API", "channel"),
    "-241": _NOT_OURS,
    "-242": _config("channel", "appsecret_proof không đúng", "appsecret_proof is invalid"),
    "-244": _person("Người này từ chối loại tin này của trang", "the user refuses these messages", OPTED_OUT),
    "-248": _config("template", "Nội dung vi phạm chính sách của Zalo", "the content violates Zalo's policy"),
    # It holds until Zalo has judged the template anew, so the kind goes by phone, and seldom tries this way.
    "-249": Verdict(
        "Mẫu tin này không gửi được theo tài khoản Zalo",
        "the template cannot be sent by user id",
        Fault.CONFIG,
        "template",
        WEEK,
    ),
    "-320": _config("account", "Cần liên kết tài khoản Zalo Cloud", "a Zalo Cloud account must be linked"),
    "-321": _quota("account", "Tài khoản Zalo Cloud không đủ tiền", "the Zalo Cloud account has no money"),
    "-403": _NOT_OURS,
    "-1340": _NOT_OURS,
    "-1341": _NOT_OURS,
    "112": _config("channel", "Ứng dụng chưa liên kết với OA", "the app is not linked to an OA"),
    "452": _TOKEN,
}

_NO_SUCH_USER = re.compile(
    r"user[\s_]?id\b.*(invalid|not valid|not exist|không hợp lệ)|invalid.*user[\s_]?id\b"
)

_BUSY = _later("Mạng di động đang bận", "the mobile network is busy")
_NO_PHONE = _person("Số này không nhận được SMS", "this number cannot get SMS")
_SIM = _config("channel", "SIM hoặc modem có sự cố", "trouble with the SIM or the modem")
_SIM_REFUSED = _config("channel", "Nhà mạng từ chối SIM (có thể hết tiền)", "the operator rejects the SIM")
_BAD_PDU = _bug("Modem không hiểu tin", "the modem does not understand the PDU")
_FULL = _later("Bộ nhớ SIM đầy", "the SIM's memory is full")

CMS: Mapping[str, Verdict] = (
    dict.fromkeys(["1", "28", "30", "195", "196"], _NO_PHONE)
    | dict.fromkeys(["8", "10", "21", "29", "50", "69", "193"], _SIM_REFUSED)
    | dict.fromkeys(["300", "303", *map(str, range(310, 314)), "315", "316", "317", "318", "330"], _SIM)
    | dict.fromkeys(["81", "95", "96", "97", "99", *map(str, range(128, 177)), "197", "198", "199"], _BAD_PDU)
    | dict.fromkeys(["304", "305", "321"], _BAD_PDU)
    | dict.fromkeys(["208", "209", "211", "320", "322"], _FULL)
    | dict.fromkeys(["27", "38", "41", "42", "47", "98", "111", "127", "192", "194"], _BUSY)
    | dict.fromkeys(["255", "256", "301", "302", "314", "331", "332", "340", "500"], _BUSY)
)

CME: Mapping[str, Verdict] = (
    dict.fromkeys(["4", "10", "11", "12", "13", "15", "16", "32"], _SIM)
    | dict.fromkeys(["3", "14", "30", "31", "100"], _BUSY)
    | {"20": _FULL}
)

_SMPP_LOGIN = _config("channel", "SMSC không cho đăng nhập", "the SMSC does not let us in")
_SMPP_SOURCE = _config("channel", "SMSC không nhận tên người gửi", "the SMSC does not take the sender's name")
_SMPP_SETTINGS = _config(
    "channel", "SMSC không nhận cách gửi này", "the SMSC does not take this way of sending"
)
_SMPP_REFUSED = _person("SMSC từ chối tin tới số này", "the SMSC refuses messages to this number")
_SMPP_BUSY = _later("SMSC đang bận", "the SMSC is busy")
_SMPP_BUG = _bug("SMSC không hiểu yêu cầu", "the SMSC does not understand the request")

# command_status, SMPP 3.4, 5.1.3
SMPP: Mapping[str, Verdict] = (
    dict.fromkeys(["0x04", "0x05", "0x0D", "0x0E", "0x0F", "0x53"], _SMPP_LOGIN)
    | dict.fromkeys(["0x0A", "0x48", "0x49"], _SMPP_SOURCE)
    | dict.fromkeys(["0x15", "0x43"], _SMPP_SETTINGS)
    | dict.fromkeys(["0x0B", "0x50", "0x51"], _NO_PHONE)
    | dict.fromkeys(["0x65", "0x66"], _SMPP_REFUSED)
    | dict.fromkeys(["0x08", "0x14", "0x45", "0x58", "0x64", "0xFE", "0xFF"], _SMPP_BUSY)
    | dict.fromkeys(["0x01", "0x02", "0x03", "0x06", "0x07", "0x11", "0x13", "0x33", "0x34"], _SMPP_BUG)
    | dict.fromkeys(["0x40", "0x42", "0x44", "0x54", "0x55", "0x61", "0x62", "0x63", "0x67"], _SMPP_BUG)
    | dict.fromkeys(["0xC0", "0xC1", "0xC2", "0xC3", "0xC4"], _SMPP_BUG)
)

STORAGE_FULL = frozenset({"208", "211", "320", "322"})
VALIDITY_UNSUPPORTED = frozenset({"198", "199"})

TABLES: Mapping[str, Mapping[str, Verdict]] = {
    "zalo": ZALO,
    "oa": OA,
    # Templates by user id go through the OA's host, and what is judged there is the same template.
    "zalo_uid": {**ZALO, **OA},
    "esms": ESMS,
    "speedsms": SPEEDSMS,
    "http": HTTP,
    "cms": CMS,
    "cme": CME,
    "smpp": SMPP,
}


def verdict(table: str, code: str) -> Verdict:
    """The row of a code. A code nobody knows is worth a repeat; whoever repeats counts how often."""
    unknown = _later(f"Mã lỗi chưa biết {code}", f"unknown code {code}")
    return TABLES[table].get(code, unknown)


def complaint(table: str, code: str, detail: str = "", shown: str | None = None) -> Refused | Unreachable:
    """The exception for an error code, with a sentence in both languages; `detail` is what the provider said.

    `shown`: the code as the provider wrote it, where the table has a word of ours for it.
    """
    code = _sharper(table, code, detail)
    row = verdict(table, code)
    reason = f"{row.vietnamese} / {row.english}"
    reason += f" ({detail[:200]})" if detail else ""
    shown = shown or (f"{table.upper()} {code}" if table in ("cms", "cme", "smpp") else code)
    if row.fault is None:
        return Unreachable(reason, sent=False, code=shown)
    return Refused(shown, reason, row.scope, row.fault, row.rest_days)


def _sharper(table: str, code: str, detail: str) -> str:
    """-201 is any parameter; that it is the user id, only the words say."""
    if table in ("oa", "zalo_uid") and code == "-201" and _NO_SUCH_USER.search(detail.casefold()):
        return "-201u"
    return code
