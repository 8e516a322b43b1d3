"""the Official Account: consent, followers, conversations, links, templates, limits, broadcasts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "broadcasts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("place", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("audience", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_by", sa.String(length=80), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    op.create_table(
        "canned_answers",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("topic", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_answers")),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "zalo_consents",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_zalo_consents")),
    )
    with op.batch_alter_table("zalo_consents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_zalo_consents_made_at"), ["made_at"], unique=False)

    op.create_table(
        "zalo_quotas",
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_zalo_quotas")),
    )
    op.create_table(
        "zalo_templates",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("params", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("tag", sa.String(length=30), nullable=False),
        sa.Column("quality", sa.String(length=12), nullable=False),
        sa.Column("timeout", sa.Integer(), nullable=True),
        sa.Column("price_phone", sa.Integer(), nullable=True),
        sa.Column("price_uid", sa.Integer(), nullable=True),
        sa.Column("daily_quota", sa.Integer(), nullable=True),
        sa.Column("remaining", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zalo_templates")),
    )
    op.create_table(
        "zalo_users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("by_app", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("phone", sa.String(length=16), nullable=True),
        sa.Column("phone_at", sa.BigInteger(), nullable=True),
        sa.Column("following", sa.Boolean(), nullable=False),
        sa.Column("following_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zalo_users")),
    )
    with op.batch_alter_table("zalo_users", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_zalo_users_following_seen_at"), ["following", "seen_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_zalo_users_phone"), ["phone"], unique=False)

    op.create_table(
        "conversations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=12), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("assigned_to", sa.String(length=60), nullable=False),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=60), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["zalo_users.id"], name=op.f("fk_conversations_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_conversations_changed_at"), ["changed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_conversations_closed_at"), ["closed_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_conversations_state_asked_at"), ["state", "asked_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_conversations_user_id_id"), ["user_id", "id"], unique=False)
        batch_op.create_index(
            "uq_conversations_open",
            ["user_id"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "zalo_tags",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["zalo_users.id"], name=op.f("fk_zalo_tags_user_id")),
        sa.PrimaryKeyConstraint("user_id", "tag", name=op.f("pk_zalo_tags")),
    )
    with op.batch_alter_table("zalo_tags", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_zalo_tags_tag"), ["tag"], unique=False)

    op.create_table(
        "zalo_links",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("registration_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registrations.id"], name=op.f("fk_zalo_links_registration_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zalo_links")),
    )
    with op.batch_alter_table("zalo_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_zalo_links_until"), ["until"], unique=False)
        batch_op.create_index(batch_op.f("ix_zalo_links_user_id"), ["user_id"], unique=False)

    op.create_table(
        "chat_messages",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("conversation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("way", sa.String(length=4), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("attachments", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("msg_id", sa.String(length=80), nullable=True),
        sa.Column("quoted", sa.String(length=80), nullable=False),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.String(length=36), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_chat_messages_conversation_id")
        ),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_chat_messages_notice_id")),
        sa.ForeignKeyConstraint(["user_id"], ["zalo_users.id"], name=op.f("fk_chat_messages_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_messages")),
        sa.UniqueConstraint("msg_id", name=op.f("uq_chat_messages_msg_id")),
    )
    with op.batch_alter_table("chat_messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_chat_messages_at"), ["at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_chat_messages_conversation_id_id"), ["conversation_id", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_chat_messages_notice_id"), ["notice_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_chat_messages_user_id_id"), ["user_id", "id"], unique=False)

    with op.batch_alter_table("registrations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_registrations_zalo_user_id"), ["zalo_user_id"], unique=False)

    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.alter_column(
            "phone", existing_type=sa.VARCHAR(length=16), type_=sa.String(length=40), existing_nullable=False
        )

    with op.batch_alter_table("zalo_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("refused_at", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("zalo_tokens", schema=None) as batch_op:
        batch_op.drop_column("refused_at")
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.alter_column(
            "phone", existing_type=sa.String(length=40), type_=sa.String(length=16), existing_nullable=False
        )
    with op.batch_alter_table("registrations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_registrations_zalo_user_id"))
    op.drop_table("chat_messages")
    op.drop_table("zalo_links")
    op.drop_table("zalo_tags")
    op.drop_table("conversations")
    op.drop_table("zalo_users")
    op.drop_table("zalo_templates")
    op.drop_table("zalo_quotas")
    op.drop_table("zalo_consents")
    op.drop_table("facts")
    op.drop_table("canned_answers")
    op.drop_table("broadcasts")
