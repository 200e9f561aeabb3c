using System.Net;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>What happens to objects on their way in and out of the lab's API server.</summary>
public sealed class ApiServerWrites
{
    [Theory]
    [InlineData("3000", "3k")]
    [InlineData("10240", "10240")]
    [InlineData("1024", "1024")]
    [InlineData("20000", "20k")]
    [InlineData("\"2\"", "2")]
    public async Task An_amount_is_stored_in_its_canonical_form_and_copied_into_requests(string sent, string stored)
    {
        await using var lab = await Running();
        var (code, pod) = await lab.Send("POST", "/api/v1/namespaces/default/pods",
            """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x","resources":{"limits":{"nvidia.com/gpumem":AMOUNT}}}]}}""".Replace("AMOUNT", sent, StringComparison.Ordinal));
        Assert.Equal(201, code);
        var resources = pod!["spec"]!["containers"]![0]!["resources"]!;
        Assert.Equal(stored, resources["limits"]!["nvidia.com/gpumem"]!.GetValue<string>());
        Assert.Equal(stored, resources["requests"]!["nvidia.com/gpumem"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("\"0.5\"", "500m")]
    [InlineData("2", "2")]
    [InlineData("\"1000m\"", "1")]
    public async Task Processors_may_be_cut_into_thousandths(string sent, string stored)
    {
        await using var lab = await Running();
        var (_, pod) = await lab.Send("POST", "/api/v1/namespaces/default/pods",
            """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x","resources":{"limits":{"cpu":AMOUNT,"memory":"1Gi"}}}]}}""".Replace("AMOUNT", sent, StringComparison.Ordinal));
        Assert.Equal(stored, pod!["spec"]!["containers"]![0]!["resources"]!["limits"]!["cpu"]!.GetValue<string>());
        Assert.Equal("Guaranteed", pod["status"]!["qosClass"]!.GetValue<string>());
    }

    [Fact]
    public async Task Revisions_grow_over_the_whole_store()
    {
        await using var lab = await Running();
        var first = await lab.Create(Pod("a"));
        var map = await lab.Client.CoreV1.CreateNamespacedConfigMapAsync(new() { Metadata = new() { Name = "m" } }, "default", cancellationToken: Cancellation);
        var second = await lab.Create(Pod("b"));
        Assert.True(long.Parse(first.ResourceVersion()) < long.Parse(map.ResourceVersion()));
        Assert.True(long.Parse(map.ResourceVersion()) < long.Parse(second.ResourceVersion()));
    }

    [Theory]
    [InlineData("""{"metadata":{"name":"Bad_Name"},"spec":{"containers":[{"name":"c","image":"x"}]}}""", 422, "metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC 1123 subdomain")]
    [InlineData("""{"metadata":{"name":"p"},"spec":{"containers":[]}}""", 422, "spec.containers: Required value")]
    [InlineData("""{"metadata":{"name":"p"}}""", 422, "spec.containers: Required value")]
    [InlineData("""{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x","resources":{"limits":{"nvidia.com/gpu":"half"}}}]}}""", 400, "Pod in version \"v1\" cannot be handled as a Pod: quantities must match")]
    [InlineData("""{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x","resources":{"limits":{"nvidia.com/gpu":"500m"}}}]}}""", 422, "must be an integer")]
    [InlineData("""{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x","imagee":"typo"}]}}""", 400, "strict decoding error: unknown field \"spec.containers[0].imagee\"")]
    [InlineData("""{"metadata":{"name":"p","annotations":{"a":1}},"spec":{"containers":[{"name":"c","image":"x"}]}}""", 400, "json: cannot unmarshal number into Go struct field")]
    [InlineData("{not json", 400, "json parse error")]
    public async Task A_pod_that_is_wrong_is_refused_with_the_reason(string pod, int code, string why)
    {
        await using var lab = await Running();
        var (answered, status) = await lab.Send("POST", "/api/v1/namespaces/default/pods?fieldValidation=Strict", pod);
        Assert.Equal(code, answered);
        Assert.Equal("Status", status!["kind"]!.GetValue<string>());
        Assert.Contains(why, status["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_namespace_that_does_not_exist_takes_no_pods()
    {
        await using var lab = await Running();
        var (code, message) = await Refusal(() => lab.Client.CoreV1.CreateNamespacedPodAsync(Pod("p", more: p => p.Metadata.NamespaceProperty = "nowhere"), "nowhere", cancellationToken: Cancellation));
        Assert.Equal((404, "namespaces \"nowhere\" not found"), (code, message));
    }

    [Fact]
    public async Task A_replacement_of_an_older_version_is_a_conflict()
    {
        await using var lab = await Running();
        var old = await lab.Create(Pod("p"));
        old.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "1" };
        await lab.Client.CoreV1.ReplaceNamespacedPodAsync(old, "p", "default", cancellationToken: Cancellation);
        var (code, message) = await Refusal(() => lab.Client.CoreV1.ReplaceNamespacedPodAsync(old, "p", "default", cancellationToken: Cancellation));
        Assert.Equal(409, code);
        Assert.Equal("Operation cannot be fulfilled on pods \"p\": the object has been modified; please apply your changes to the latest version and try again", message);
    }

    [Fact]
    public async Task Only_the_status_door_changes_the_status_and_only_the_main_door_the_spec()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", """{"status":{"phase":"Running"},"metadata":{"labels":{"a":"b"}}}""", "application/merge-patch+json");
        Assert.Equal("Pending", (await lab.Read("p")).Status.Phase);
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p/status", """{"status":{"phase":"Running"},"spec":{"activeDeadlineSeconds":5}}""", "application/merge-patch+json");
        var pod = await lab.Read("p");
        Assert.Equal("Running", pod.Status.Phase);
        Assert.Null(pod.Spec.ActiveDeadlineSeconds);
        // A patch of the status alone, and one that looks at the spec.
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p/status", """{"status":{"message":"m"}}""", "application/strategic-merge-patch+json");
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p/status",
            $$"""[{"op":"test","path":"/spec/containers/0/name","value":"{{pod.Spec.Containers[0].Name}}"},{"op":"add","path":"/status/reason","value":"r"}]""", "application/json-patch+json");
        var told = await lab.Read("p");
        Assert.Equal(("Running", "m", "r"), (told.Status.Phase, told.Status.Message, told.Status.Reason));
        Assert.Equal(KubernetesJson.Serialize(pod.Spec), KubernetesJson.Serialize(told.Spec));
    }

    [Fact]
    public async Task A_pods_spec_is_fixed_but_for_a_few_fields()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var (refused, status) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", """{"spec":{"nodeName":"n"}}""", "application/merge-patch+json");
        Assert.Equal(422, refused);
        Assert.Contains("pod updates may not change fields other than", status!["message"]!.GetValue<string>(), StringComparison.Ordinal);
        var (done, pod) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", """{"spec":{"containers":[{"name":"c","image":"y:2"}]}}""", "application/strategic-merge-patch+json");
        Assert.Equal(200, done);
        Assert.Equal(2, pod!["metadata"]!["generation"]!.GetValue<int>());
    }

    [Fact]
    public async Task What_a_pod_leaves_open_is_filled_in_where_it_stands()
    {
        await using var lab = await Running();
        var (code, pod) = await lab.Send("POST", "/api/v1/namespaces/default/pods", """
            {"metadata":{"name":"p"},"spec":{"hostNetwork":true,"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}],"readinessProbe":{"httpGet":{"port":80}}}]}}
            """);
        Assert.Equal(201, code);
        var container = pod!["spec"]!["containers"]![0]!;
        Assert.Equal(80, (int)container["ports"]![0]!["hostPort"]!);
        Assert.Equal(("/", "HTTP"), ((string)container["readinessProbe"]!["httpGet"]!["path"]!, (string)container["readinessProbe"]!["httpGet"]!["scheme"]!));
    }

    [Fact]
    public async Task A_patch_that_changes_nothing_is_no_new_version()
    {
        await using var lab = await Running();
        var before = await lab.Create(Pod("p"));
        var (_, after) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", "{}", "application/merge-patch+json");
        Assert.Equal(before.ResourceVersion(), after!["metadata"]!["resourceVersion"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_patch_may_name_the_version_it_is_meant_for()
    {
        await using var lab = await Running();
        var pod = await lab.Create(Pod("p"));
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", """{"metadata":{"labels":{"a":"b"}}}""", "application/merge-patch+json");
        var (stale, status) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p",
            """{"metadata":{"resourceVersion":"OLD","labels":{"a":"c"}}}""".Replace("OLD", pod.ResourceVersion(), StringComparison.Ordinal), "application/merge-patch+json");
        Assert.Equal(409, stale);
        Assert.Equal("Conflict", status!["reason"]!.GetValue<string>());
        var (foreign, immutable) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", """{"metadata":{"uid":"other"}}""", "application/strategic-merge-patch+json");
        Assert.Equal(422, foreign);
        Assert.Contains("metadata.uid: Invalid value: \"other\": field is immutable", immutable!["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Conditions_are_merged_by_type()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        const string path = "/api/v1/namespaces/default/pods/p/status";
        await lab.Send("PATCH", path, """{"status":{"conditions":[{"type":"PodScheduled","status":"False"},{"type":"Ready","status":"False"}]}}""", "application/strategic-merge-patch+json");
        var (_, pod) = await lab.Send("PATCH", path, """{"status":{"conditions":[{"type":"PodScheduled","status":"True"}]}}""", "application/strategic-merge-patch+json");
        Assert.Equal(["PodScheduled True", "Ready False"], pod!["status"]!["conditions"]!.AsArray().Select(c => $"{c!["type"]} {c["status"]}"));
    }

    [Fact]
    public async Task An_assigned_pod_stays_until_its_kubelet_says_it_is_over()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p", node: "n"));
        await lab.Client.CoreV1.DeleteNamespacedPodAsync("p", "default", cancellationToken: Cancellation);
        var leaving = await lab.Read("p");
        Assert.Equal(30, leaving.Metadata.DeletionGracePeriodSeconds);
        Assert.NotNull(leaving.Metadata.DeletionTimestamp);
        await lab.Client.CoreV1.DeleteNamespacedPodAsync("p", "default", new V1DeleteOptions { GracePeriodSeconds = 0, Preconditions = new() { Uid = leaving.Uid() } }, cancellationToken: Cancellation);
        Assert.Equal(404, (await Refusal(() => lab.Read("p"))).Code);
    }

    [Fact]
    public async Task An_unassigned_pod_goes_at_once_but_not_under_anothers_uid()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var (code, message) = await Refusal(() => lab.Client.CoreV1.DeleteNamespacedPodAsync("p", "default", new V1DeleteOptions { Preconditions = new() { Uid = "other" } }, cancellationToken: Cancellation));
        Assert.Equal(409, code);
        Assert.Contains("the UID in the precondition (other) does not match", message, StringComparison.Ordinal);
        await lab.Client.CoreV1.DeleteNamespacedPodAsync("p", "default", cancellationToken: Cancellation);
        Assert.Equal(404, (await Refusal(() => lab.Read("p"))).Code);
    }

    [Fact]
    public async Task A_namespace_takes_its_contents_with_it()
    {
        await using var lab = await Running();
        await lab.Client.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = "team" } }, cancellationToken: Cancellation);
        await lab.Client.CoreV1.CreateNamespacedPodAsync(Pod("p", more: p => p.Metadata.NamespaceProperty = "team"), "team", cancellationToken: Cancellation);
        await lab.Client.CoreV1.DeleteNamespaceAsync("team", cancellationToken: Cancellation);
        Assert.Empty((await lab.Client.CoreV1.ListNamespacedPodAsync("team", cancellationToken: Cancellation)).Items);
        Assert.Equal(404, (await Refusal(() => lab.Client.CoreV1.ReadNamespaceAsync("team", cancellationToken: Cancellation))).Code);
    }

    [Fact]
    public async Task An_event_written_to_the_new_group_is_read_from_the_old_one()
    {
        await using var lab = await Running();
        var (code, _) = await lab.Send("POST", "/apis/events.k8s.io/v1/namespaces/default/events",
            """{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"p.1","namespace":"default"},"eventTime":"2026-11-23T19:46:20.309797Z","reportingController":"hami-scheduler","reportingInstance":"vm","action":"Scheduling","reason":"FailedScheduling","regarding":{"kind":"Pod","namespace":"default","name":"p"},"note":"0/3 nodes","type":"Warning","deprecatedSource":{},"deprecatedFirstTimestamp":null}""");
        Assert.Equal(201, code);
        var events = await lab.Client.CoreV1.ListNamespacedEventAsync("default", fieldSelector: "involvedObject.name=p,type!=Normal", cancellationToken: Cancellation);
        Assert.Equal("0/3 nodes", Assert.Single(events.Items).Message);
        var (_, patched) = await lab.Send("PATCH", "/apis/events.k8s.io/v1/namespaces/default/events/p.1",
            """{"series":{"count":2,"lastObservedTime":"2026-11-23T19:46:31.521327Z"}}""", "application/strategic-merge-patch+json");
        Assert.Equal("0/3 nodes", patched!["note"]!.GetValue<string>());
        Assert.Equal(2, patched["series"]!["count"]!.GetValue<int>());
    }

    [Theory]
    [InlineData("GET", "/api/v1/widgets", 404)]
    [InlineData("PATCH", "/api/v1/namespaces/default/pods", 405)]
    [InlineData("POST", "/api/v1/namespaces/default/pods/p/exec", 501)]
    public async Task What_is_not_there_is_refused_as_a_Status(string method, string path, int code)
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var (answered, status) = await lab.Send(method, path, method is "GET" ? null : "{}");
        Assert.Equal((code, "Status"), (answered, status!["kind"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Server_side_apply_is_refused()
    {
        await using var lab = await Running();
        var (code, _) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p?fieldManager=x", "{}", "application/apply-patch+yaml");
        Assert.Equal(415, code);
    }

    [Fact]
    public async Task A_body_beyond_three_mebibytes_is_refused()
    {
        await using var lab = await Running();
        var (code, _) = await lab.Send("POST", "/api/v1/namespaces/default/configmaps", "{\"data\":{\"a\":\"" + new string('a', 4 * 1024 * 1024) + "\"}}");
        Assert.Equal((int)HttpStatusCode.RequestEntityTooLarge, code);
    }

    [Fact]
    public async Task A_dry_run_leaves_nothing_behind()
    {
        await using var lab = await Running();
        await lab.Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default", dryRun: "All", cancellationToken: Cancellation);
        Assert.Equal(404, (await Refusal(() => lab.Read("p"))).Code);
    }

    [Fact]
    public async Task Lists_are_selected_by_labels_and_fields()
    {
        await using var lab = await Running();
        await lab.Create(Pod("a", more: p => p.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["app"] = "x", ["tier"] = "1" }));
        await lab.Create(Pod("b", node: "n1", more: p => p.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["app"] = "y" }));
        await lab.Create(Pod("c", node: "n2"));
        async Task<string> Names(string? labels = null, string? fields = null) => string.Join(' ',
            (await lab.Client.CoreV1.ListNamespacedPodAsync("default", labelSelector: labels, fieldSelector: fields, cancellationToken: Cancellation)).Items.Select(p => p.Name()));
        Assert.Equal("a", await Names("app=x"));
        Assert.Equal("a b", await Names("app in (x, y)"));
        Assert.Equal("c", await Names("!app"));
        Assert.Equal("b c", await Names("tier!=1"));
        Assert.Equal("b", await Names(fields: "spec.nodeName=n1"));
        Assert.Equal("a b c", await Names(fields: "status.phase!=Succeeded,status.phase!=Failed"));
        Assert.Equal("a", await Names(fields: "spec.nodeName="));
        Assert.Equal(400, (await Refusal(() => Names(fields: "spec.wrong=1"))).Code);
    }

    [Fact]
    public async Task A_long_list_comes_in_pages()
    {
        await using var lab = await Running();
        foreach (var i in Enumerable.Range(0, 5))
            await lab.Create(Pod($"p{i}"));
        var names = new List<string>();
        string? next = null;
        do
        {
            var page = await lab.Client.CoreV1.ListNamespacedPodAsync("default", limit: 2, continueParameter: next, cancellationToken: Cancellation);
            names.AddRange(page.Items.Select(p => p.Name()));
            next = page.Metadata.ContinueProperty;
        }
        while (!string.IsNullOrEmpty(next));
        Assert.Equal(["p0", "p1", "p2", "p3", "p4"], names);
    }

    [Fact]
    public async Task A_warning_may_be_in_any_letters_and_one_with_a_line_end_is_left_unsaid()
    {
        await using var lab = await Running();
        using var sent = new StringContent("{\"metadata\":{\"name\":\"m\"},\"größe\":1,\"a\\nb\":2}", System.Text.Encoding.UTF8, "application/json");
        using var created = await lab.Raw.PostAsync("/api/v1/namespaces/default/configmaps", sent, Cancellation);
        Assert.Equal(System.Net.HttpStatusCode.Created, created.StatusCode);
        Assert.Contains("unknown field", Assert.Single(created.Headers.GetValues("Warning")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_eviction_that_is_a_dry_run_ends_nothing()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var (code, _) = await lab.Send("POST", "/api/v1/namespaces/default/pods/p/eviction",
            """{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"},"deleteOptions":{"dryRun":["All"]}}""");
        Assert.Equal(201, code);
        Assert.Null((await lab.Read("p")).Metadata.DeletionTimestamp);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a/b")]
    public async Task A_JSON_patch_to_what_is_no_path_is_refused(string path)
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var (code, _) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", "[{\"op\":\"add\",\"path\":\"" + path + "\",\"value\":1}]", "application/json-patch+json");
        Assert.Equal(422, code);
    }

    [Fact]
    public async Task A_JSON_patch_that_doubles_itself_is_refused_before_it_fills_the_memory()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var doubling = Enumerable.Range(0, 40).Select(i => "{\"op\":\"copy\",\"from\":\"/metadata\",\"path\":\"/metadata/x" + i + "\"}");
        var (code, _) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", $"[{string.Join(',', doubling)}]", "application/json-patch+json");
        Assert.Equal(422, code);
    }

    [Theory]
    [InlineData("nodes", "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastHeartbeatTime\":\"2017-08-04 13:29:20\"}]}",
        "parsing time \"2017-08-04 13:29:20\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \" 13:29:20\" as \"T\"")]
    [InlineData("nodes", "\"spec\":{\"taints\":[{\"key\":\"a\",\"effect\":\"NoExecute\",\"timeAdded\":\"\"}]}", "parsing time \"\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"2006\"")]
    [InlineData("nodes", "\"spec\":{\"taints\":[{\"key\":\"a\",\"effect\":\"NoExecute\",\"timeAdded\":\"2026-01-01T00:00:00.5Zulu\"}]}", "extra text: \"ulu\"")]
    [InlineData("nodes", "\"status\":{\"capacity\":{\"cpu\":\"1e400\"}}", "quantities must match the regular expression")]
    [InlineData("priorityclasses", "\"value\":3000000000", "json: cannot unmarshal number 3000000000 into Go struct field PriorityClass.value of type int32")]
    public async Task What_clients_could_not_read_back_is_not_kept(string plural, string fields, string why)
    {
        await using var lab = await Running();
        var path = plural is "nodes" ? "/api/v1/nodes" : "/apis/scheduling.k8s.io/v1/priorityclasses";
        var (code, status) = await lab.Send("POST", path, "{\"metadata\":{\"name\":\"x\"}," + fields + "}");
        Assert.Equal(400, code);
        Assert.Contains(why, (string)status!["message"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2026-01-01T00:00:00Z")]
    [InlineData("2026-01-01T00:00:00.123456Z")]
    [InlineData("2026-01-01T00:00:00.123456789+01:00")]
    public void A_time_is_taken_as_Go_takes_it(string time) => Assert.Null(Record.Exception(() => GoTime.Check(time)));
}
