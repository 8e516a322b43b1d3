"""SMS as the networks carry it, pure: the alphabets, the segments, the PDUs of GSM 03.38 and 03.40."""
