# make run    a whole station on this machine, with stand-ins for Zalo, the SMS network, the modem and the printer
# make test   every test, also those that need PostgreSQL and a browser
# make soak   the long ones: 200 simulated days, 5,000 notices with kills, 10,000 kinds of rubbish at the API
# All install what is missing first, and are quick the second time.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help run test soak lint bench pictures clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/.product
	@exec $(PY) -m gateway station

test: $(VENV)/.tests
	@bash .ci/packages test
	@$(PY) -m ruff check .
	@$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder  # half of the time goes in waiting for processes and disks

soak: $(VENV)/.tests
	@bash .ci/packages test
	@ENGINE_SEEDS=200 ENGINE_PEOPLE=1000 $(PY) -m pytest -n 2 --dist load tests/simulation/test_engine_days.py
	@ENGINE_NOTICES=5000 $(PY) -m pytest -s tests/simulation/test_two_workers.py
	@KILL_NOTICES=200 NEXT_TURNS=200 OFFLINE_PRESSES=30 $(PY) -m pytest -s --timeout 600 tests/simulation/test_kill.py \
		tests/simulation/test_two_webs.py tests/simulation/test_offline_kiosk.py
	@PARTS_EXAMPLES=400 $(PY) -m pytest -s --timeout 1800 tests/gateway/test_parts_machine.py
	@SMS_TEXTS=10000 $(PY) -m pytest -s --timeout 1800 tests/gateway/test_sms_oracles.py
	@MODEM_MESSAGES=200 $(PY) -m pytest -s --timeout 1800 tests/simulation/test_modem_faults.py
	@SMPP_MESSAGES=200 $(PY) -m pytest -s --timeout 1800 tests/gateway/test_channel_smpp_faults.py
	@WEBHOOK_CALLS=10000 $(PY) -m pytest -s --timeout 1800 tests/gateway/test_webhook_fuzz.py
	@OPENAPI_EXAMPLES=400 $(PY) -m pytest -s --timeout 1800 tests/gateway/test_openapi.py

lint: $(VENV)/.tests
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

bench: $(VENV)/.tests
	@bash .ci/packages bench
	@$(PY) -m pytest tests/bench -s -n 0

# Draws README's pictures anew from the running program
pictures: $(VENV)/.tests
	@bash .ci/packages test
	@$(PY) -m pytest tests/browser/test_walk.py tests/browser/test_conversation.py -n 0 --pictures .github/pictures

$(VENV)/.product: requirements.txt
	@bash .ci/packages run
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Cài thư viện Python vào $(VENV) / installing Python libraries into $(VENV) …"
	@$(PY) -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.tests: $(VENV)/.product tests/requirements.txt
	@$(PY) -m pip install --quiet -r tests/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) data .pytest_cache .ruff_cache .hypothesis
