"""The words by which citizens ask for things in a chat, as they would write them. Pure lists; `chat` reads them."""

from __future__ import annotations

from collections.abc import Mapping


def _all(text: str) -> tuple[str, ...]:
    return tuple(" ".join(one.split()) for one in text.split(","))


PHRASES: Mapping[str, tuple[str, ...]] = {
    "register": _all(
        """
        đăng ký, đk, đăng ký lấy số, lấy số, lấy số thứ tự, đăng ký số, đăng ký số thứ tự, xin số, xin
        số thứ tự, đặt lịch, đặt lịch hẹn, đặt hẹn, hẹn lịch, đăng ký lịch hẹn, lấy số online, đăng ký
        online, đăng ký trực tuyến, bốc số, đặt số, đăng ký cho con, đăng ký cho con tôi, đăng ký cho
        mẹ, đăng ký cho bố, đăng ký cho mẹ tôi, đăng ký cho bố tôi, đăng ký cho vợ, đăng ký cho chồng,
        đăng ký cho người nhà, đăng ký cho người thân, đăng ký cho gia đình, đăng ký làm căn cước, đăng
        ký làm cccd, đăng ký thế nào, đăng ký ở đâu, đăng ký như thế nào, register, register for a number,
        get a number, book, booking, book an appointment, make an appointment, sign up, how do i register,
        how to register, how can i register, i want to register
        """
    ),
    "number": _all(
        """
        số của tôi, số của em, số của mình, số tôi, số thứ tự, số thứ tự của tôi, xem số, xem số của
        tôi, số của tôi là bao nhiêu, số của tôi đâu, số tôi đâu, số mấy, tôi số mấy,
        đến lượt tôi chưa, tới lượt tôi chưa, đến lượt
        chưa, tới lượt chưa, bao giờ đến lượt, bao giờ đến lượt tôi, khi nào đến lượt, khi nào đến lượt
        tôi, bao giờ tới lượt, còn bao nhiêu người, còn mấy người, còn mấy người nữa, còn bao nhiêu
        người nữa, đến số mấy rồi, tới số mấy rồi, đang gọi số mấy, đang đến số mấy, lịch hẹn của tôi,
        lịch của tôi, lịch hẹn, xem lịch hẹn, xem lịch, kiểm tra số, tra cứu số, tra số, số con tôi, số
        của con tôi, số của con, số của mẹ, số của bố, số của mẹ tôi, số của bố tôi, số của ba tôi, số
        của vợ tôi, số của chồng tôi, số người nhà, số của người nhà, số của người thân, số của gia
        đình, my number, number, what is my number, my place, my turn, when is my turn, my appointment,
        how many people ahead, how long to wait, how many ahead
        """
    ),
    "cancel": _all(
        """
        huỷ, huỷ lịch, huỷ số, huỷ lịch hẹn, huỷ hẹn, huỷ đăng ký, huỷ số của tôi, huỷ lịch của tôi, huỷ
        lịch hẹn của tôi, không đến được, tôi không đến được, em không đến được,
        không tới được, tôi không tới được, bỏ số, huỷ phiếu, huỷ số thứ tự,
        cancel, cancel my number, cancel my appointment, cancel appointment, cancel booking
        """
    ),
    "move": _all(
        """
        đổi lịch, đổi ngày, đổi lịch hẹn, đổi ngày hẹn, dời lịch, dời ngày, dời lịch hẹn, chuyển ngày,
        chuyển lịch, đổi giờ, đổi giờ hẹn, đổi sang ngày khác, chuyển sang ngày khác, hẹn lại, đổi hẹn,
        đổi lịch của tôi, reschedule, move my appointment, change the date, change date, change the day,
        change my appointment, another day
        """
    ),
    "here": _all(
        """
        tôi đã đến, tôi đến rồi, đến rồi, đã đến, đã đến nơi, tôi đã đến nơi, tới rồi, tôi tới rồi, tôi
        đã tới, đã tới, có mặt, tôi có mặt, tôi đã có mặt, đã có mặt, báo có mặt, check in, checkin, i
        am here, im here, i have arrived, arrived
        """
    ),
    "hours": _all(
        """
        giờ làm việc, giờ, thời gian làm việc, mấy giờ làm việc, mấy giờ mở cửa, giờ mở cửa, địa chỉ, ở
        đâu, địa điểm, địa điểm làm thủ tục, điểm làm thủ tục, lịch làm việc, làm việc mấy giờ, mấy giờ
        đóng cửa, hôm nay có làm việc không, hôm nay có làm không, mai có làm không, ngày mai có làm
        việc không, thứ bảy có làm không, thứ 7 có làm việc không, thứ 7 có làm không, chủ nhật có làm
        không, làm ở đâu, giờ và địa điểm, giờ và nơi làm việc, trụ sở ở đâu, đến đâu làm, chỉ đường,
        bản đồ, địa chỉ ở đâu, giờ giấc, bao giờ mở cửa, khi nào mở cửa, đi đường nào, hours, opening
        hours, address, where, where are you, location, opening times, when are you open, hours and
        places, office hours, are you open today
        """
    ),
    "documents": _all(
        """
        giấy tờ, giấy tờ cần mang, cần mang gì, cần giấy tờ gì, mang giấy tờ gì, mang theo gì, cần những
        gì, cần mang theo gì, cần mang giấy tờ gì, cần mang theo giấy tờ gì, hồ sơ gồm những gì, hồ sơ
        cần gì, thủ tục cần gì, giấy tờ gồm gì, chuẩn bị gì, cần chuẩn bị gì, giấy tờ gồm những gì, làm
        căn cước cần gì, làm cccd cần gì, làm căn cước cần giấy tờ gì, cần đem gì, đem theo gì, hồ sơ,
        cần mang giấy tờ gì không, documents, what to bring, what do i need, which documents, what
        documents, papers to bring
        """
    ),
    "phone": _all(
        """
        chia sẻ số điện thoại, gửi số điện thoại, cập nhật số điện thoại, số điện thoại, share my phone,
        share phone, share my phone number, share phone number
        """
    ),
    "menu": _all(
        """
        menu, trợ giúp, hướng dẫn, xin chào, chào, hello, hi, alo, chào bạn, chào ad, bắt đầu, help,
        start, chào anh, chào chị, chào cán bộ, good morning, chức năng, danh mục
        """
    ),
    "person": _all(
        """
        gặp cán bộ, gặp người, nói chuyện với cán bộ, gặp nhân viên, cán bộ, nhân viên, tư vấn, cần tư
        vấn, cần hỗ trợ, hỗ trợ, gặp người thật, nhắn cán bộ, hỏi cán bộ, gọi cán bộ, cần gặp cán bộ,
        human, agent, officer, talk to a person, talk to an officer, speak to someone, a person
        """
    ),
    "stop": _all(
        """
        dừng nhận tin, ngừng nhận tin, không nhận tin, huỷ nhận tin, stop, unsubscribe
        """
    ),
}

# By text message there are no buttons: these few words, alone
SHORT: Mapping[str, tuple[str, ...]] = {
    "number": _all("số, s0, số của tôi, xem số, số của em, số của mình, stt, number, my number"),
    "cancel": _all("huỷ, huỷ số, huỷ lịch, huỷ hẹn, huỷ lịch hẹn, cancel"),
    "menu": _all("trợ giúp, tg, hd, hướng dẫn, help, menu, info"),  # not "giúp": somebody may be in need
    # Not "dừng": without accents it is "đúng", which means yes
    "stop": _all(
        """
        stop, stop all, stop tin, stop tin nhắn, stop nhận tin, từ chối, tc, xin từ chối, từ chối tin, từ chối
        tin nhắn, từ chối nhận tin, từ chối nhận tin nhắn, ngừng, ngừng tin nhắn, ngừng nhận tin, ngừng nhận tin
        nhắn, ngừng gửi tin, ngừng nhắn tin, ngưng, ngưng nhắn tin, dừng tin nhắn, dừng nhận tin, dừng nhận tin
        nhắn, dừng gửi tin, dừng nhắn tin, không nhận tin, không nhận tin nữa, không nhận tin nhắn, không nhận tin
        nhắn nữa, tôi không nhận tin nữa, em không nhận tin nữa, huỷ nhận tin, huỷ tin nhắn, unsubscribe, end, quit,
        ngừng gửi, ngưng gửi, ngừng gửi tin nhắn, dừng gửi tin nhắn, đừng gửi nữa, đừng gửi tin nữa, đừng
        gửi tin nhắn nữa, đừng gửi tin, đừng gửi tin nhắn, đừng nhắn nữa, đừng nhắn tin nữa, đừng nhắn tin, tuchoi,
        stop sms, stop sending, stop texting, opt out, optout
        """
    ),
    "start": _all(
        "start, nhận, nhận tin, nhận tin nhắn, nhận lại, nhận lại tin, đăng ký nhận tin, unstop, subscribe"
    ),
}

TOPICS: Mapping[str, tuple[str, ...]] = {
    "complaint": _all(
        """
        tố cáo, tố giác, khiếu nại, phản ánh, kiến nghị, bức xúc, thái độ, nhũng nhiễu, hối lộ, tiêu
        cực, sách nhiễu, đòi tiền, vòi tiền, chờ lâu, đợi lâu, lừa đảo, trộm, đánh nhau, gây rối, đánh
        bạc, ma tuý, hách dịch, cửa quyền, quát, phàn nàn, tham nhũng, lót tay, xúc phạm, đe doạ, hành hung, bạo hành,
        corrupt, corruption, complain, complaint, report, bribe, rude,
        denounce
        """
    ),
    "residence": _all(
        """
        cư trú, tạm trú, thường trú, tạm vắng, hộ khẩu, nhập khẩu, tách khẩu, chuyển khẩu, lưu trú,
        ct07, ct01, nhập hộ, tách hộ, chỗ ở, residence, temporary residence
        """
    ),
    "identity": _all(
        """
        căn cước, cccd, cmnd, cmt, chứng minh, định danh, vneid, gắn chip, lăn tay, vân tay, chụp ảnh,
        làm thẻ, nhận thẻ, thẻ, id card, identity
        """
    ),
    "procedure": _all(
        """
        thủ tục, hồ sơ, giấy tờ, lệ phí, phí, bao lâu, nộp, mẫu đơn, tờ khai, lý lịch tư pháp, hộ chiếu,
        passport, xác nhận, procedure, fee, form, biển số, đăng ký xe
        """
    ),
}

# What people put around a wish; it is taken off from both ends and never from the middle
BEFORE = _all(
    """
        cho tôi, cho em, cho mình, cho con, cho cháu, cho xin, cho hỏi, xin hỏi, tôi muốn, em muốn, mình
        muốn, con muốn, cháu muốn, muốn, tôi cần, em cần, tôi xin, em xin, làm ơn, vui lòng, giúp tôi,
        giúp em, giúp mình, ad ơi, admin ơi, ad, admin, dạ, alo, chào ad, xin chào, hello, hi, cán bộ
        ơi, anh ơi, chị ơi, ơi, please, i want to, i would like to, can i, how to, i need to, tôi muốn
        hỏi, em muốn hỏi, hỏi, xem giúp, kiểm tra giúp, phải, cần phải, được, và, thôi
        """
)
AFTER = _all(
    """
        ạ, a, nhé, nha, nhe, với, vậy, đi, ad, admin, please, pls, được không, được không ạ, giúp,
        giúp tôi, giúp em, giúp với, cho tôi, cho em, cho mình, thế nào, như thế nào, ở đâu, hả, hen,
        thế, nhỉ, dc không, đc ko, now
        """
)
COURTESIES = _all(
    """
        cảm ơn, cám ơn, cảm ơn nhiều, xin cảm ơn, cảm ơn cán bộ, cảm ơn ad, ok, oke, okie, vâng, dạ, dạ
        vâng, rồi, tốt, thanks, thank you, thank, tks, yes, đã hiểu, đã nhận, biết rồi, ừ, uh, cảm ơn
        anh, cảm ơn chị, cảm ơn bạn, em cảm ơn, tôi cảm ơn, dạ em cảm ơn, vâng ạ, không
        """
)

# What stands on our own buttons and in the page's menu: it works also while a person is answering
MENU = _all(
    """
        đăng ký, đăng ký lấy số, lấy số, số của tôi, huỷ số, huỷ lịch, đổi ngày, đổi lịch, tôi đã đến, giờ làm việc,
        giờ và địa điểm, giấy tờ cần mang, gặp cán bộ, menu, english, tiếng việt, register, get a number, my number,
        cancel my number, change the day, i am here, opening hours, hours and places, documents, what to bring, help
        """
)
