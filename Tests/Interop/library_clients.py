"""IMAP from other languages' libraries, and two small programs: Perl's Mail::IMAPClient, PHP's imap (c-client),
imapfilter and msmtp. Each creates, fills, reads, flags, moves and deletes, in folders with difficult names."""

import os

from copying_clients import account
from harness import ALICE, BOB, Session, run, write
from usage_sessions import PASSWORD

PERL = r"""
use strict; use warnings; use utf8; use Mail::IMAPClient;
my ($tls, $plain, $ca, $password) = @ARGV;
sub opened {
    Mail::IMAPClient->new(Server => 'localhost', User => 'pia@example.com', Password => $password, Uid => 1, @_)
        or die "login: $@";
}
my $c = opened(Port => $tls, Ssl => [SSL_ca_file => $ca]);
sub must {
    my ($what, $got) = @_;
    defined $got && $got ne '' && $got ne '0' or die "$what: " . ($c->LastError // '') . "\n";
    return $got;
}
sub same { my ($what, $got, $wanted) = @_; "$got" eq "$wanted" or die "$what: <$got> is not <$wanted>\n" }
my $text = "From: a\@b.example\r\nSubject: from Perl\r\n\r\n{3}\r\n";
for my $name ('One two', 'Deep/er/still', 'With "quotes"', 'back\\slash', 'R&-D', 'Gr&APwA3w-e', '100%') {
    must("create $name", $c->create($name));
    must("exists $name", $c->exists($name));
    must("subscribe $name", $c->subscribe($name));
    same("subscribed $name", scalar(grep { $_ eq $name } $c->subscribed), 1);
    my $uid = must("append $name", $c->append($name, $text));
    must("select $name", $c->select($name));
    same("text in $name", $c->message_string($uid), $text);
    must("flag", $c->set_flag('Flagged', $uid));
    must("keyword", $c->set_flag('$Label1', $uid));
    same("flags", join(' ', sort grep { $_ ne '\\Recent' } $c->flags($uid)), '$Label1 \\Flagged \\Seen');
    must("clear", $c->unset_flag('Flagged', $uid));
    same("flagged", join(' ', $c->search('FLAGGED')), '');
    must("copy", $c->copy('INBOX', $uid));
    must("move", $c->move('Trash', $uid));
    must("expunge", $c->expunge);
    same("left", $c->message_count, 0);
    must("close", $c->close);
    must("rename", $c->rename($name, "$name again"));
    must("delete", $c->delete("$name again"));
    must("unsubscribe", $c->unsubscribe($name));
}
must("select", $c->select('INBOX'));
same("uids", join(' ', $c->messages), join(' ', 1 .. 7));
same("search", join(' ', $c->search('SUBJECT "from perl" UNDELETED')), join(' ', 1 .. 7));
same("sort", join(' ', $c->sort('ARRIVAL', 'UTF-8', 'ALL')), join(' ', 1 .. 7));
same("envelope", $c->get_envelope(3)->subject, 'from Perl');
same("structure", lc $c->get_bodystructure(3)->bodytype, 'text');
same("fetched", scalar(keys %{$c->fetch_hash([1 .. 7], qw(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE))}), 7);
must("thread", scalar @{$c->thread('REFERENCES')});
my $tag = must("idle", $c->idle);
must("done", $c->done($tag));
must("delete", $c->delete_message(1 .. 6));
must("expunge", $c->uidexpunge('1:6'));
same("left", join(' ', $c->messages), 7);
must("logout", $c->logout);
for my $mechanism ('PLAIN', 'LOGIN') {
    $c = opened(Port => $plain, Starttls => [SSL_ca_file => $ca], Authmechanism => $mechanism, Compress => 1);
    must("select by $mechanism", $c->select('INBOX'));
    same("text by $mechanism", $c->message_string(7), $text);
    must("logout", $c->logout);
}
"""

PHP = r"""<?php
[, $port, $password] = $argv;
function must($what, $got) {
    if ($got === false) { fwrite(STDERR, "$what: " . imap_last_error() . "\n"); exit(1); }
    return $got;
}
function same($what, $got, $wanted) {
    if ($got != $wanted) { fwrite(STDERR, "$what: " . json_encode([$got, $wanted]) . "\n"); exit(1); }
}
$at = "{localhost:$port/imap/ssl/novalidate-cert}";
$m = must('open', imap_open("{$at}INBOX", 'phil@example.com', $password, 0, 1));
$text = "From: a@b.example\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?= from PHP\r\n\r\nhello\r\n";
$names = ['One two', 'Deep/er/still', 'With "quotes"', 'back\\slash', 'R&-D', 'Gr&APwA3w-e', '100%'];
foreach ($names as $name) {
    must("create $name", imap_createmailbox($m, $at . $name));
    must("subscribe $name", imap_subscribe($m, $at . $name));
    same("subscribed $name", in_array($at . $name, imap_lsub($m, $at, '*')), true);
    must("append $name", imap_append($m, $at . $name, $text, '\\Flagged', '17-Jul-2023 02:44:25 -0700'));
    same("status $name", must('status', imap_status($m, $at . $name, SA_ALL))->messages, 1);
    must("open $name", imap_reopen($m, $at . $name));
    $overview = imap_fetch_overview($m, '1')[0];
    same("overview $name", [$overview->flagged, $overview->seen, $overview->uid], [1, 0, 1]);
    same("date $name", imap_headerinfo($m, 1)->udate, 1689587065);
    same("text of $name", imap_fetchheader($m, 1) . imap_body($m, 1), $text);
    must('clear', imap_clearflag_full($m, '1', '\\Flagged'));
    must('keyword', imap_setflag_full($m, '1', '\\Answered $Label1', ST_UID));
    same("found in $name", imap_search($m, 'ANSWERED SEEN UNFLAGGED KEYWORD $Label1', SE_UID), [1]);
    must('copy', imap_mail_copy($m, '1', 'INBOX'));
    must('move', imap_mail_move($m, '1', 'Trash'));
    must('expunge', imap_expunge($m));
    same('left', imap_num_msg($m), 0);
    must('open', imap_reopen($m, "{$at}INBOX"));
    must("rename $name", imap_renamemailbox($m, $at . $name, "$at$name again"));
    must("delete $name", imap_deletemailbox($m, "$at$name again"));
    must("unsubscribe $name", imap_unsubscribe($m, $at . $name));
}
same('copies', imap_num_msg($m), 7);
same('sort', imap_sort($m, SORTARRIVAL, 0, SE_UID), range(1, 7));
same('search', imap_search($m, "SUBJECT \"gr\u{fc}\u{df}e\"", SE_UID, 'UTF-8'), range(1, 7));
same('structure', imap_fetchstructure($m, 1)->subtype, 'PLAIN');
must('thread', imap_thread($m));
must('delete', imap_delete($m, '1:6'));
must('close', imap_close($m, CL_EXPUNGE));
if (imap_errors() || imap_alerts()) { exit(1); }
"""

LUA = r"""
options.certificates = true
options.create = true
options.subscribe = true
near = IMAP { server = 'localhost', port = %d, username = 'ida@example.com', password = '%s', ssl = 'auto' }
far = IMAP { server = 'localhost', port = %d, username = 'ike@example.com', password = '%s' }
function must(what, got) if not got then error(what) end end
for _, name in ipairs({'One two', 'Über/Täg', 'R&D', 'Grüße', '100%%'}) do
    must('create ' .. name, near:create_mailbox(name))
    must('append ' .. name, near[name]:append_message('Subject: from Lua\r\n\r\nhello\r\n', {'\\Seen'}))
    found = near[name]:contain_subject('from lua') * near[name]:is_seen() * near[name]:is_newer(1)
    must('found in ' .. name, #found == 1)
    must('flag', found:add_flags({'\\Flagged', 'kw'}) and found:remove_flags({'kw'}))
    must('flagged in ' .. name, #(near[name]:is_flagged() - near[name]:has_keyword('kw')) == 1)
    for _, message in ipairs(found) do
        box, uid = table.unpack(message)
        must('text in ' .. name, box[uid]:fetch_message() == 'Subject: from Lua\r\n\r\nhello\r\n')
    end
    must('copy', found:copy_messages(near.Sent))
    must('to another account', found:copy_messages(far[name]))
    must('move', found:move_messages(near.Trash))
    must('left in ' .. name, #near[name]:select_all() == 0 and #far[name]:select_all() == 1)
    must('rename', near:rename_mailbox(name, name .. ' again') and near:delete_mailbox(name .. ' again'))
end
near.Trash:select_all():delete_messages()
must('deleted', #near.Trash:select_all() == 0 and #near.Sent:select_all() == 5)
print('all done')
"""


def perl_imapclient(s):
    account(s, "pia")
    script = write(f"{s.root}/client.pl", PERL)
    run("perl", script, s.ports["imaps"], s.ports["imap"], f"{s.root}/cert.pem", PASSWORD)


def php_imap(s):
    account(s, "phil")
    run("php", write(f"{s.root}/client.php", PHP), s.ports["imaps"], PASSWORD)


def imapfilter(s):
    """imapfilter, with TLS to one account and STARTTLS to another."""
    account(s, "ida")
    account(s, "ike")
    script = write(f"{s.root}/imapfilter.lua", LUA % (s.ports["imaps"], PASSWORD, s.ports["imap"], PASSWORD))
    os.makedirs(f"{s.root}/.imapfilter", exist_ok=True)
    told = run("imapfilter", "-t", f"{s.root}/cert.pem", "-c", script, env=dict(os.environ, HOME=s.root))
    assert told.endswith("all done\n"), told
    session = Session(s, "ike")
    assert b"MESSAGES 1 " in session.ok("STATUS Gr&APwA3w-e (MESSAGES UNSEEN)")[0]
    session.close()


def msmtp(s):
    """msmtp, on both submission ports, with each mechanism and a dot at the start of a line."""
    session = Session(s, "bob")
    session.ok("SELECT INBOX")
    rounds = [("submission", mechanism) for mechanism in ("plain", "login", "scram-sha-256")] + [("smtps", "plain")]
    for number, (port, mechanism) in enumerate(rounds):
        run("msmtp", "--host=localhost", f"--port={s.ports[port]}", "--tls", f"--tls-trust-file={s.root}/cert.pem",
            f"--tls-starttls={'on' if port == 'submission' else 'off'}", f"--auth={mechanism}", f"--user={ALICE}",
            f"--passwordeval=echo '{PASSWORD}'", "-f", ALICE, BOB, ALICE,
            input=f"Subject: msmtp {number}\n\n.\n..\nx\n")
        session.ok("NOOP")
        (uid,) = session.ok(f'UID SEARCH SUBJECT "msmtp {number}"')[0].split()[2:]
        assert b"}\r\n.\r\n..\r\nx\r\n" in session.ok(f"UID FETCH {uid.decode()} (BODY.PEEK[TEXT])")[0]
    session.close()
