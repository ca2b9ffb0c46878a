"""AWS for a lab: moto, and in front of it what moto lacks or is too kind about. README.md says what it promises.

usage: aws.py ADDRESS PORT FOLDER
Everything is in this process and gone with it. The lab talks to it at /lab/ACTION, see `services/aws`.
"""
import copy
import json
import os
import re
import signal
import socketserver
import sys
import threading
import time

os.environ.update(
    AWS_ACCESS_KEY_ID="lab", AWS_SECRET_ACCESS_KEY="lab", AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    NO_PROXY="*", MOTO_EC2_LOAD_DEFAULT_AMIS="false",
)
ADDRESS, PORT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from moto.cloudfront.models import Invalidation, cloudfront_backends  # noqa: E402
from moto.core import DEFAULT_ACCOUNT_ID  # noqa: E402
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup  # noqa: E402
from moto.rds.models import DBCluster, rds_backends  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from moto.wafv2.models import wafv2_backends  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

REGION = "us-east-1"
SITE = "www.dreamwidth.org"
WEBS = [f"va-web0{n}" for n in range(1, 7)]
# what the lab may change with `set NAME VALUE`
FIRST = {
    "sending": True,            # sesv2: SendingEnabled
    "production": True,         # sesv2: ProductionAccessEnabled
    "enforcement": "HEALTHY",   # sesv2: EnforcementStatus
    "quota": 50000, "rate": 14, "sent": 1200,
    "attempts": 40000, "bounces": 300, "complaints": 8, "rejects": 0,   # ses: of the last two weeks
    "smtp": "220 email-smtp.amazonaws.com ESMTP SimpleEmailService lab",     # the greeting; "" is a closed door
    "failover": 0,              # descriptions of the cluster until its writer has changed; -1: it never does
    "settling": 0,              # the same, from then on until its status is available
    "invalidation": 0,          # descriptions of an invalidation until it is Completed; -1: never
    "meddle": 0,                # how many times someone else changes the IP set just before an update
    "lost": 0,                  # how many updates of the IP set are done, and answered with an error
    "throttle": {},             # action: how many times it is refused, -1: always
    "health": {},               # host: [state, reason] of its target
    "sampled": [],              # what the web ACL has seen: [action, address, uri]
    "ids": {},
}
state = copy.deepcopy(FIRST)
calls = []
lock = threading.RLock()


def rds():
    return rds_backends[DEFAULT_ACCOUNT_ID][REGION]


# --- where moto is too kind ---

def failover(cluster, target):
    """The real one takes its time, and may end elsewhere: the status is failing-over, then the writer another."""
    if cluster.writer is not None and cluster.writer is target:
        target = next(member for member in cluster.members if member is not cluster.writer)
    cluster.lab = {"left": state["failover"], "settling": state["settling"], "target": target}
    if state["failover"] == 0 and state["settling"] == 0:
        moto_failover(cluster, target)
    else:
        cluster.status = "failing-over"


def described():
    """One more look at the clusters: what goes on there comes nearer to its end."""
    for cluster in rds().clusters.values():
        going = getattr(cluster, "lab", None)
        if not going or cluster.status != "failing-over":
            continue
        if going["left"] > 0:
            going["left"] -= 1
        if going["left"] != 0:
            continue
        if cluster.writer is not going["target"]:
            moto_failover(cluster, going["target"])
        elif going["settling"] > 0:
            going["settling"] -= 1
        if going["settling"] == 0:
            cluster.status = "available"


moto_failover = DBCluster.failover
DBCluster.failover = failover

moto_health = FakeTargetGroup.health_for


def health_for(group, target, ec2):
    """moto knows `healthy` and `unused` only."""
    name = next((name for name, known in state["ids"].items() if known == target["Id"]), None)
    if name in state["health"]:
        told, reason = state["health"][name]
        words = {
            "Target.ResponseCodeMismatch": "Health checks failed with these codes: [502]",
            "Target.Timeout": "Request timed out",
            "Target.FailedHealthChecks": "Health checks failed",
            "Target.DeregistrationInProgress": "Target deregistration is in progress",
            "Target.NotRegistered": "Target is not registered to the target group",
        }
        return FakeHealthStatus(target["Id"], "80", "80", told, reason or None, words.get(reason))
    return moto_health(group, target, ec2)


FakeTargetGroup.health_for = health_for


def invalidation_status(self):
    """moto says COMPLETED; the real service says InProgress, then Completed."""
    if state["invalidation"] == 0:
        return "COMPLETED"
    if not hasattr(self, "left"):
        self.left = state["invalidation"]
    return "InProgress" if self.left else "Completed"


def invalidated():
    """One more look at the invalidations."""
    for made in cloudfront_backends[DEFAULT_ACCOUNT_ID]["aws"].invalidations.values():
        for one in made:
            if getattr(one, "left", 0) > 0:
                one.left -= 1


Invalidation.status = property(invalidation_status, lambda self, value: None)


def meddle():
    """Someone else's change, a moment before ours: our token is stale then."""
    backend = wafv2_backends[DEFAULT_ACCOUNT_ID]["aws"]
    ip_set = next(one for one in backend.ip_sets.values() if one.ip_set_id == state["ids"]["ip_set"])
    others = f"192.0.2.{100 + state['meddle']}/32"
    if others not in ip_set.addresses:
        ip_set.update(None, [*ip_set.addresses, others])


# --- what moto lacks ---

def sesv2_account():
    return {
        "DedicatedIpAutoWarmupEnabled": False, "EnforcementStatus": state["enforcement"],
        "ProductionAccessEnabled": state["production"], "SendingEnabled": state["sending"],
        "SendQuota": {"Max24HourSend": float(state["quota"]), "MaxSendRate": float(state["rate"]),
                      "SentLast24Hours": float(state["sent"])},
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }


def query_reply(action, result, space="http://ses.amazonaws.com/doc/2010-12-01/"):
    return (f'<{action}Response xmlns="{space}"><{action}Result>{result}</{action}Result>'
            f"<ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata></{action}Response>")


def statistics():
    """The last two weeks in points of fifteen minutes; here two points."""
    points = ""
    for age, share in ((90000, 0.5), (3600, 0.5)):
        stamp = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - age))
        points += "<member><Timestamp>" + stamp + "</Timestamp>" + "".join(
            f"<{name}>{int(state[key] * share)}</{name}>" for name, key in
            (("DeliveryAttempts", "attempts"), ("Bounces", "bounces"), ("Complaints", "complaints"), ("Rejects", "rejects"))
        ) + "</member>"
    return f"<SendDataPoints>{points}</SendDataPoints>"


def sampled_requests(asked):
    wanted = {"blocked": "BLOCK", "dreamwidth": "ALLOW"}[asked["RuleMetricName"]]
    seen = [one for one in state["sampled"] if one[0] == wanted]
    window = asked["TimeWindow"]
    return {
        "SampledRequests": [
            {"Request": {"ClientIP": address, "Country": "NL", "URI": uri, "Method": "GET", "HTTPVersion": "HTTP/2.0",
                         "Headers": [{"Name": "Host", "Value": SITE}]},
             "Weight": 1, "Timestamp": time.time() - 60, "Action": action}
            for action, address, uri in seen[:asked["MaxItems"]]],
        "PopulationSize": len(seen), "TimeWindow": window,
    }


# --- the server ---

def name_of(environ, body):
    """`rds.FailoverDBCluster`, and the region that it was signed for."""
    signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    region, service = signed.groups() if signed else ("", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    action = re.search(rb"(?:^|&)Action=(\w+)", body)
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if target:
        name = target.rsplit(".", 1)[-1]
    elif action:
        name = action.group(1).decode()
    elif service == "cloudfront":
        verb = {"GET": "Get", "POST": "Create", "PUT": "Update"}.get(method, method)
        name = verb + ("Invalidation" if "/invalidation" in path else "Distribution")
        if method == "GET" and path.endswith("/distribution"):
            name = "ListDistributions"
    else:
        name = f"{method} {path}"
    return f"{service}.{name}", region


def refusal(environ, service, code, message):
    """An error as each protocol writes it."""
    if "HTTP_X_AMZ_TARGET" in environ:
        return 400, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    if service == "ses" and environ["PATH_INFO"].startswith("/v2/"):
        return 429, "application/json", json.dumps({"__type": code, "message": message})
    return 400, "text/xml", (f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
                             "</Error><RequestId>lab</RequestId></ErrorResponse>")


def answer(environ, body):
    """(status, type, text), or none: moto's business."""
    name, region = name_of(environ, body)
    service, action = name.split(".", 1)
    if environ["PATH_INFO"].startswith("/moto-api"):
        return None
    calls.append(name)
    refused = state["throttle"].get(action, 0)
    if refused:
        state["throttle"][action] = refused - 1 if refused > 0 else refused
        code = "ThrottlingException" if service == "wafv2" else "Throttling"
        return refusal(environ, service, code, "Rate exceeded")
    if service == "ses" and name.endswith("GET /v2/email/account"):
        return 200, "application/json", json.dumps(sesv2_account())
    if action == "GetAccountSendingEnabled":
        return 200, "text/xml", query_reply(action, f"<Enabled>{str(state['sending']).lower()}</Enabled>")
    if action == "GetSendStatistics":
        return 200, "text/xml", query_reply(action, statistics())
    if action == "DescribeDBClusters":
        described()
    if action == "GetInvalidation":
        invalidated()
    if service == "wafv2":
        asked = json.loads(body or b"{}")
        if asked.get("Scope") == "CLOUDFRONT" and region != REGION:
            return refusal(environ, service, "WAFInvalidParameterException",
                           "Error reason: The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT")
        if action == "GetSampledRequests" and asked["RuleMetricName"] not in ("blocked", "dreamwidth"):
            return refusal(environ, service, "WAFNonexistentItemException", "AWS WAF couldn't perform the operation because "
                           "your resource doesn't exist.")
        if action == "GetSampledRequests":
            return 200, "application/x-amz-json-1.1", json.dumps(sampled_requests(asked))
        if action == "UpdateIPSet" and state["meddle"]:
            meddle()
            state["meddle"] -= 1
    return None


class Front:
    """The lab's own questions, what moto lacks, then moto."""

    def __init__(self, moto):
        self.moto = moto

    def __call__(self, environ, start):
        path = environ["PATH_INFO"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if path.startswith("/lab/"):
            try:
                said = control(path[5:], json.loads(body or b"[]"))
                return reply(start, 200, "application/json", json.dumps(said))
            except (KeyError, ValueError, StopIteration) as error:
                return reply(start, 400, "text/plain", f"{type(error).__name__}: {error}")
        with lock:
            told = None if environ.get("HTTP_USER_AGENT", "").endswith("lab-seed") else answer(environ, body)
        if told:
            return reply(start, *told)
        import io
        environ["wsgi.input"] = io.BytesIO(body)
        with lock:
            done = self.moto(environ, start)
            if state["lost"] and environ.get("HTTP_X_AMZ_TARGET", "").endswith("UpdateIPSet"):
                state["lost"] -= 1
                return reply(start, 500, "application/x-amz-json-1.1", '{"__type": "WAFInternalErrorException"}')
            return done


def reply(start, status, kind, text):
    data = text.encode()
    start(f"{status} Lab", [("Content-Type", kind), ("Content-Length", str(len(data))), ("x-amzn-RequestId", "lab")])
    return [data]


def control(action, args):
    """What the lab asks: reset, set NAME VALUE, get NAME, calls, do NAME …"""
    if action == "reset":
        return reset()
    if action == "set":
        name, value = args
        if name not in FIRST:
            raise KeyError(f"{name} is none of {sorted(FIRST)}")
        state[name] = value
        return value
    if action == "get":
        return look(args[0])
    if action == "calls":
        return calls
    if action == "member":
        name, status = args
        rds().databases[name].status = status
        return status
    if action == "cluster":
        name, status = args
        rds().clusters[name].status, rds().clusters[name].lab = status, None
        return status
    if action == "distribution":
        found = cloudfront_backends[DEFAULT_ACCOUNT_ID]["aws"].distributions[state["ids"]["distribution"]]
        if args[0] == "bare":
            found.distribution_config.WebACLId = ""
        else:
            found._transitions, found._status = [], args[0]
        return args[0]
    if action == "deregister":
        clients["elbv2"].deregister_targets(TargetGroupArn=state["ids"]["group"], Targets=[{"Id": state["ids"][args[0]]}])
        return args[0]
    if action == "alone":
        for name in [name for name, one in rds().databases.items() if not one.is_cluster_writer]:
            del rds().databases[name]
        return "one member"
    if action == "stop":
        threading.Thread(target=server.shutdown).start()
        return "stopped"
    raise KeyError(f"no action called {action}")


def look(what):
    """The truth, past the command line."""
    if what == "ip_set":
        backend = wafv2_backends[DEFAULT_ACCOUNT_ID]["aws"]
        return next(one.addresses for one in backend.ip_sets.values() if one.ip_set_id == state["ids"]["ip_set"])
    if what == "writers":
        return [name for name, one in rds().databases.items() if one.is_cluster_writer]
    if what == "invalidations":
        found = clients["cloudfront"].list_invalidations(DistributionId=state["ids"]["distribution"])
        return len(found["InvalidationList"].get("Items", []))
    return state[what]


clients = {}


def client(service):
    if service not in clients:
        settings = Config(user_agent_extra="lab-seed", retries={"max_attempts": 1})
        clients[service] = boto3.client(service, endpoint_url=f"http://{ADDRESS}:{PORT}", config=settings)
    return clients[service]


def reset():
    """An account as the production notes' may be, in the state in which nothing is wrong."""
    import moto.backends
    with lock:
        moto.backends  # loaded
        from moto.core.model_instances import reset_model_data
        for name in ("rds", "wafv2", "cloudfront", "elbv2", "ec2", "ses"):
            moto.backends.get_backend(name).reset()
        reset_model_data()
        state.clear()
        state.update(copy.deepcopy(FIRST))
        calls.clear()
    ids = state["ids"]
    db = client("rds")
    db.create_db_cluster(DBClusterIdentifier="dreamwidth", Engine="aurora-mysql", MasterUsername="dw",
                         MasterUserPassword="made-up-1")
    for number in (1, 2):
        db.create_db_instance(DBInstanceIdentifier=f"dreamwidth-{number}", DBClusterIdentifier="dreamwidth",
                              Engine="aurora-mysql", DBInstanceClass="db.r5.large")
    waf = client("wafv2")
    ip_set = waf.create_ip_set(Name="blocked-addresses", Scope="CLOUDFRONT", IPAddressVersion="IPV4",
                               Addresses=["198.51.100.7/32"])["Summary"]
    seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True}
    acl = waf.create_web_acl(
        Name="dreamwidth", Scope="CLOUDFRONT", DefaultAction={"Allow": {}},
        VisibilityConfig={**seen, "MetricName": "dreamwidth"},
        Rules=[{"Name": "blocked", "Priority": 0, "Action": {"Block": {}},
                "Statement": {"IPSetReferenceStatement": {"ARN": ip_set["ARN"]}},
                "VisibilityConfig": {**seen, "MetricName": "blocked"}}])["Summary"]
    ec2 = client("ec2")
    made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=6, MaxCount=6)["Instances"]
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    for name, one in zip(WEBS, made, strict=True):
        ids[name] = one["InstanceId"]
        ec2.create_tags(Resources=[one["InstanceId"]], Tags=[{"Key": "Name", "Value": name}])
    elb = client("elbv2")
    group = elb.create_target_group(Name="webs", Protocol="HTTP", Port=80, VpcId=made[0]["VpcId"],
                                    TargetType="instance")["TargetGroups"][0]["TargetGroupArn"]
    balancer = elb.create_load_balancer(Name="dreamwidth", Subnets=subnets)["LoadBalancers"][0]
    elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": ids[name]} for name in WEBS])
    origin = {"Id": "alb", "DomainName": balancer["DNSName"],
              "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}
    front = {
        "Enabled": True, "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "alb", "ViewerProtocolPolicy": "allow-all", "MinTTL": 0,
                                 "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "all"}}},
    }
    # another one, which has no name but its own
    client("cloudfront").create_distribution(DistributionConfig={
        **copy.deepcopy(front), "CallerReference": "old", "Comment": "a trial"})
    distribution = client("cloudfront").create_distribution(DistributionConfig={
        **front, "CallerReference": "lab", "Comment": "the site", "WebACLId": acl["ARN"],
        "Aliases": {"Quantity": 1, "Items": [SITE]}})["Distribution"]
    ids.update(ip_set=ip_set["Id"], acl=acl["ARN"], distribution=distribution["Id"], group=group)
    # both are deployed at their second look
    for _ in range(2):
        client("cloudfront").get_distribution(Id=distribution["Id"])
    db.describe_db_clusters()
    return ids


class Smtp(socketserver.BaseRequestHandler):
    """The door of SES, as far as its greeting."""

    def handle(self):
        if state["smtp"]:
            self.request.sendall(state["smtp"].encode() + b"\r\n")
            self.request.settimeout(5)
            try:
                self.request.recv(512)
            except OSError:
                pass


class Quiet(WSGIRequestHandler):
    """No line a request."""

    def log_request(self, code="-", size="-"):
        pass


application = DomainDispatcherApplication(create_backend_app)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
smtp = socketserver.ThreadingTCPServer((ADDRESS, 587), Smtp)
threading.Thread(target=smtp.serve_forever, daemon=True).start()
server = make_server(ADDRESS, PORT, Front(application), threaded=True, request_handler=Quiet)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
with open(f"{FOLDER}/pid", "w") as out:
    out.write(f"{os.getpid()}\n")
server.serve_forever()
