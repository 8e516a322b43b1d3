"""text messages: their parts, their words, the modems' state, conversations with phones"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_tables()
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.alter_column("user_id", existing_type=sa.String(length=40), nullable=True)
        batch_op.add_column(sa.Column("phone", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("channel", sa.String(length=12), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_conversations_phone_id"), ["phone", "id"], unique=False)
        batch_op.create_index(
            "uq_conversations_open_phone",
            ["phone"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )
    with op.batch_alter_table("chat_messages", schema=None) as batch_op:
        batch_op.alter_column("user_id", existing_type=sa.String(length=40), nullable=True)
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.alter_column(
            "ladder", existing_type=sa.String(length=60), type_=sa.String(length=160), existing_nullable=False
        )


def _make_tables() -> None:
    op.create_table(
        "sms_parts",
        sa.Column("notice_id", sa.String(length=36), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("joint", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=80), nullable=True),
        sa.Column("phone", sa.String(length=16), nullable=False),
        sa.Column("attempt_id", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_sms_parts_notice_id")),
        sa.PrimaryKeyConstraint("notice_id", "channel", "part", name=op.f("pk_sms_parts")),
    )
    op.create_index(op.f("ix_sms_parts_at"), "sms_parts", ["at"], unique=False)
    op.create_index(
        op.f("ix_sms_parts_channel_phone_at"), "sms_parts", ["channel", "phone", "at"], unique=False
    )
    op.create_table(
        "sms_texts",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("kind", "language", name=op.f("pk_sms_texts")),
    )
    op.create_table(
        "modem_states",
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("host", sa.String(length=60), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("sim", sa.String(length=10), nullable=False),
        sa.Column("network", sa.String(length=10), nullable=False),
        sa.Column("operator", sa.String(length=40), nullable=False),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("memory", sa.Integer(), nullable=False),
        sa.Column("recoveries", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_modem_states")),
    )


def downgrade() -> None:
    op.execute("DELETE FROM chat_messages WHERE user_id IS NULL")
    op.execute("DELETE FROM conversations WHERE user_id IS NULL")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.alter_column(
            "ladder", existing_type=sa.String(length=160), type_=sa.String(length=60), existing_nullable=False
        )
    with op.batch_alter_table("chat_messages", schema=None) as batch_op:
        batch_op.alter_column("user_id", existing_type=sa.String(length=40), nullable=False)
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.drop_index("uq_conversations_open_phone")
        batch_op.drop_index(batch_op.f("ix_conversations_phone_id"))
        batch_op.drop_column("channel")
        batch_op.drop_column("phone")
        batch_op.alter_column("user_id", existing_type=sa.String(length=40), nullable=False)
    for name in ("modem_states", "sms_texts", "sms_parts"):
        op.drop_table(name)
