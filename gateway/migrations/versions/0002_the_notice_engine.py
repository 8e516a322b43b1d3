"""the notice engine: ladders of their own, breakers, alerts, suppressions, lanes, hooks

A notice that is open at the change has an empty ladder; the sweeper gives it the configured one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("data", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("read_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_opened_at"), ["opened_at"], unique=False)
        batch_op.create_index(
            "uq_alerts_open",
            ["key"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "breakers",
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("subject", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("fault", sa.String(length=10), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("probe_at", sa.BigInteger(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "subject", name=op.f("pk_breakers")),
    )
    op.create_table(
        "lanes",
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("concurrency", sa.BigInteger(), nullable=True),
        sa.Column("per_minute", sa.BigInteger(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("filled_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_lanes")),
    )
    op.create_table(
        "suppressions",
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("phone", sa.String(length=16), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "phone", name=op.f("pk_suppressions")),
    )
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_suppressions_until"), ["until"], unique=False)

    op.create_table(
        "workplaces",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("lanes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workplaces")),
    )
    with op.batch_alter_table("workplaces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_workplaces_seen_at"), ["seen_at"], unique=False)

    op.create_table(
        "hooks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("api_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("events", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_hooks_api_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hooks")),
    )
    with op.batch_alter_table("hooks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hooks_api_key_id"), ["api_key_id"], unique=False)

    op.create_table(
        "hook_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("hook_id", sa.String(length=36), nullable=False),
        sa.Column("notice_id", sa.String(length=36), nullable=True),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("body", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["hook_id"], ["hooks.id"], name=op.f("fk_hook_events_hook_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_hook_events_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_events")),
    )
    with op.batch_alter_table("hook_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_hook_events_due",
            ["hook_id", "due", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_index(
            "ix_hook_events_calling",
            ["hook_id", "due"],
            unique=False,
            sqlite_where=sa.text("state = 'calling'"),
            postgresql_where=sa.text("state = 'calling'"),
        )
        batch_op.create_index(batch_op.f("ix_hook_events_hook_id_id"), ["hook_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_hook_events_notice_id"), ["notice_id"], unique=False)

    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cost", sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_index(batch_op.f("ix_attempts_channel_at"), ["channel", "at"], unique=False)
        batch_op.create_index(
            "ix_attempts_open",
            ["at"],
            unique=False,
            sqlite_where=sa.text("state = 'handing_over'"),
            postgresql_where=sa.text("state = 'handing_over'"),
        )

    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ladder", sa.String(length=60), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("channel", sa.String(length=12), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("asked", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("handled", sa.String(length=10), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("handled_by", sa.String(length=80), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("repeats", sa.String(length=36), nullable=True))
        batch_op.drop_index("ix_notices_open")
        batch_op.drop_index(batch_op.f("ix_notices_state_created_at"))
        batch_op.create_index(batch_op.f("ix_notices_api_key_id_id"), ["api_key_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notices_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            "ix_notices_due",
            ["channel", "urgent", "due", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'created'"),
            postgresql_where=sa.text("state = 'created'"),
        )
        batch_op.create_index(
            "ix_notices_late",
            ["deadline"],
            unique=False,
            sqlite_where=sa.text("state = 'created'"),
            postgresql_where=sa.text("state = 'created'"),
        )
        batch_op.create_index(
            "ix_notices_lost",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('failed', 'expired')"),
            postgresql_where=sa.text("state IN ('failed', 'expired')"),
        )
        batch_op.create_index(batch_op.f("ix_notices_phone"), ["phone"], unique=False)
        batch_op.create_index(
            "ix_notices_waiting",
            ["due"],
            unique=False,
            sqlite_where=sa.text("state IN ('sending', 'sent', 'unknown')"),
            postgresql_where=sa.text("state IN ('sending', 'sent', 'unknown')"),
        )


def downgrade() -> None:

    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_notices_waiting",
            sqlite_where=sa.text("state IN ('sending', 'sent', 'unknown')"),
            postgresql_where=sa.text("state IN ('sending', 'sent', 'unknown')"),
        )
        batch_op.drop_index(batch_op.f("ix_notices_phone"))
        batch_op.drop_index(
            "ix_notices_lost",
            sqlite_where=sa.text("state IN ('failed', 'expired')"),
            postgresql_where=sa.text("state IN ('failed', 'expired')"),
        )
        batch_op.drop_index(
            "ix_notices_late",
            sqlite_where=sa.text("state = 'created'"),
            postgresql_where=sa.text("state = 'created'"),
        )
        batch_op.drop_index(
            "ix_notices_due",
            sqlite_where=sa.text("state = 'created'"),
            postgresql_where=sa.text("state = 'created'"),
        )
        batch_op.drop_index(batch_op.f("ix_notices_created_at"))
        batch_op.drop_index(batch_op.f("ix_notices_api_key_id_id"))
        batch_op.create_index(
            batch_op.f("ix_notices_state_created_at"), ["state", "created_at"], unique=False
        )
        batch_op.create_index(
            "ix_notices_open",
            ["due", "urgent"],
            unique=False,
            sqlite_where=sa.text("final_at IS NULL"),
            postgresql_where=sa.text("final_at IS NULL"),
        )
        batch_op.drop_column("repeats")
        batch_op.drop_column("handled_by")
        batch_op.drop_column("handled")
        batch_op.drop_column("asked")
        batch_op.drop_column("channel")
        batch_op.drop_column("ladder")

    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_attempts_open",
            sqlite_where=sa.text("state = 'handing_over'"),
            postgresql_where=sa.text("state = 'handing_over'"),
        )
        batch_op.drop_index(batch_op.f("ix_attempts_channel_at"))
        batch_op.drop_column("cost")

    with op.batch_alter_table("hook_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hook_events_notice_id"))
        batch_op.drop_index(batch_op.f("ix_hook_events_hook_id_id"))
        batch_op.drop_index(
            "ix_hook_events_calling",
            sqlite_where=sa.text("state = 'calling'"),
            postgresql_where=sa.text("state = 'calling'"),
        )
        batch_op.drop_index(
            "ix_hook_events_due",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.drop_table("hook_events")
    with op.batch_alter_table("hooks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hooks_api_key_id"))

    op.drop_table("hooks")
    with op.batch_alter_table("workplaces", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_workplaces_seen_at"))

    op.drop_table("workplaces")
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_suppressions_until"))

    op.drop_table("suppressions")
    op.drop_table("lanes")
    op.drop_table("breakers")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_alerts_open",
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_alerts_opened_at"))

    op.drop_table("alerts")
