using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>What a real server refuses is refused, with its code, its reason and its words.</summary>
public sealed class ApiServerRefusals(ApiServerRefusals.Lab shared) : IClassFixture<ApiServerRefusals.Lab>
{
    private const string Pods = "/api/v1/namespaces/default/pods";
    private const string Maps = "/api/v1/namespaces/default/configmaps";
    private const string Json = "application/json";
    private const string JsonPatch = "application/json-patch+json";
    private const string Merge = "application/merge-patch+json";
    private const string Strategic = "application/strategic-merge-patch+json";
    private const string Subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character "
        + @"(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    private const string PlainName = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    private const string MediaTypes = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

    private ApiServerGiven lab => shared.Given;

    [Theory]
    // Bodies.
    [InlineData("POST", Pods, Json, """{"metadata":{"name":"p"},"spec":{"foo":1,"containers":[{"name":"c","image":"x"}]}}""", 400, "BadRequest",
        """Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.foo" """)]
    [InlineData("POST", Pods, Json, """{"metadata":{"name":"p","name":"q"},"spec":{"containers":[{"name":"c","image":"x","image":"y"}],"bar":{}}}""", 400, "BadRequest",
        """Pod in version "v1" cannot be handled as a Pod: strict decoding error: duplicate field "metadata.name", duplicate field "spec.containers[0].image", unknown field "spec.bar" """)]
    [InlineData("POST", Pods, Json, "{not json", 400, "BadRequest",
        "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: invalid character 'n' looking for beginning of object key string ({not json)")]
    [InlineData("POST", Pods, Json, """{"metadata":{"name":"p"}""", 400, "BadRequest",
        """the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input ({"metadata":{"name":"p"})""")]
    [InlineData("POST", Pods, Json, """{"kind":"Node","apiVersion":"v1","metadata":{"name":"p"}}""", 400, "BadRequest",
        """Node in version "v1" cannot be handled as a Pod: converting (v1.Node) to (core.Pod): unknown conversion""")]
    [InlineData("POST", Pods, Json, """{"kind":"Widget","apiVersion":"v1","metadata":{"name":"p"}}""", 400, "BadRequest",
        """Widget in version "v1" cannot be handled as a Pod: no kind "Widget" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30" """)]
    [InlineData("POST", Pods, Json, """{"kind":"Pod","apiVersion":"v2","metadata":{"name":"p"}}""", 400, "BadRequest",
        """Pod in version "v2" cannot be handled as a Pod: no kind "Pod" is registered for version "v2" in scheme "pkg/api/legacyscheme/scheme.go:30" """)]
    [InlineData("POST", "/api/v1/namespaces/default/events", Json, """{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"e"}}""", 400, "BadRequest",
        "the API version in the data (events.k8s.io/v1) does not match the expected API version (v1)")]
    [InlineData("POST", Pods, "text/plain", "{}", 415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: " + MediaTypes)]
    // Names and metadata.
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"Bad_Name"}}""", 422, "Invalid", "ConfigMap \"Bad_Name\" is invalid: metadata.name: Invalid value: \"Bad_Name\": " + Subdomain)]
    [InlineData("POST", Maps, Json, "{}", 422, "Invalid", "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required")]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"m","labels":{"a/b/c":"x"}}}""", 422, "Invalid",
        "ConfigMap \"m\" is invalid: metadata.labels: Invalid value: \"a/b/c\": a valid label key " + PlainName + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"m","labels":{"UPPER.example/x":"x"}}}""", 422, "Invalid",
        "ConfigMap \"m\" is invalid: metadata.labels: Invalid value: \"UPPER.example/x\": prefix part " + Subdomain)]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"m","annotations":{"sp ace":"x"}}}""", 422, "Invalid",
        "ConfigMap \"m\" is invalid: metadata.annotations: Invalid value: \"sp ace\": name part " + PlainName)]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"m","labels":{"a":"not ok"}}}""", 422, "Invalid",
        "ConfigMap \"m\" is invalid: metadata.labels: Invalid value: \"not ok\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')")]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"m","resourceVersion":"7"}}""", 500, null, "resourceVersion should not be set on objects to be created")]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"m","namespace":"other"}}""", 400, "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request")]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"m"},"data":{"a":1}}""", 400, "BadRequest",
        """ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string""")]
    [InlineData("POST", Maps, Json, """{"metadata":{"name":"here"}}""", 409, "AlreadyExists", "configmaps \"here\" already exists")]
    // Namespaces.
    [InlineData("POST", "/api/v1/namespaces/nowhere/configmaps", Json, """{"metadata":{"name":"m"}}""", 404, "NotFound", "namespaces \"nowhere\" not found")]
    [InlineData("POST", "/api/v1/namespaces/leaving/configmaps", Json, """{"metadata":{"name":"m"}}""", 403, "Forbidden",
        "configmaps \"m\" is forbidden: unable to create new content in namespace leaving because it is being terminated")]
    [InlineData("POST", "/api/v1/namespaces", Json, """{"metadata":{"name":"a.b"}}""", 422, "Invalid",
        "Namespace \"a.b\" is invalid: metadata.name: Invalid value: \"a.b\": must not contain dots")]
    // Updates.
    [InlineData("PUT", Maps + "/here", Json, """{"metadata":{"name":"there"}}""", 400, "BadRequest", "the name of the object (there) does not match the name on the URL (here)")]
    [InlineData("PUT", Maps + "/here", Json, """{"metadata":{"name":"here","resourceVersion":"1"}}""", 409, "Conflict",
        "Operation cannot be fulfilled on configmaps \"here\": the object has been modified; please apply your changes to the latest version and try again")]
    [InlineData("PUT", Maps + "/gone", Json, """{"metadata":{"name":"gone"}}""", 404, "NotFound", "configmaps \"gone\" not found")]
    [InlineData("PUT", Pods + "/held", Json, """{"metadata":{"name":"held","finalizers":["example.com/hold","example.com/more"]},"spec":{"containers":[{"name":"c","image":"busybox:1.36"}]}}""", 422, "Invalid",
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/more\"}")]
    [InlineData("PATCH", Pods + "/here", Strategic, """{"spec":{"containers":[{"name":"c","command":["x"]}]}}""", 422, "Invalid",
        "Pod \"here\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        + "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)")]
    // Patches.
    [InlineData("PATCH", Pods + "/here", "application/apply-patch+yaml", "{}", 415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json")]
    [InlineData("PATCH", Pods + "/here", Json, "{}", 415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json")]
    [InlineData("PATCH", Pods + "/here", JsonPatch, """[{"op":"remove","path":"/metadata/labels/none"}]""", 422, "Invalid", "the server rejected our request due to an error in our request")]
    [InlineData("PATCH", Pods + "/here", JsonPatch, """[{"op":"test","path":"/metadata/name","value":"other"}]""", 422, "Invalid", "the server rejected our request due to an error in our request")]
    [InlineData("PATCH", Pods + "/here", JsonPatch, """{"op":"test"}""", 400, "BadRequest", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp")]
    [InlineData("PATCH", Pods + "/here", Merge, "{oops", 400, "BadRequest", "error decoding patch: invalid character 'o' looking for beginning of object key string")]
    [InlineData("PATCH", Maps + "/here", Strategic, """{"datum":{"a":"b"}}""", 422, "Invalid",
        """ "" is invalid: patch: Invalid value: "map[datum:map[a:b]]": strict decoding error: unknown field "datum" """)]
    [InlineData("PATCH", Maps + "/here", Merge, """{"data":{"a":1}}""", 422, "Invalid", "json: cannot unmarshal number into Go struct field ConfigMap.data of type string")]
    [InlineData("PATCH", Pods + "/here", Strategic, """{"spec":{"containers":[{"image":"x"}]}}""", 500, null, "map: map[image:x] does not contain declared merge key: name")]
    [InlineData("PATCH", Pods + "/gone", Merge, "{}", 404, "NotFound", "pods \"gone\" not found")]
    // Deletions.
    [InlineData("DELETE", Pods + "/gone", Json, "", 404, "NotFound", "pods \"gone\" not found")]
    [InlineData("DELETE", Pods + "/here", Json, """{"preconditions":{"resourceVersion":"1"}}""", 409, "Conflict", "Operation cannot be fulfilled on Pod \"here\": the ResourceVersion in the precondition (1)")]
    [InlineData("DELETE", Pods + "/here", Json, """{"preconditions":{"uid":"other"}}""", 409, "Conflict", "Operation cannot be fulfilled on Pod \"here\": the UID in the precondition (other) does not match the UID in record")]
    // Paths and methods.
    [InlineData("PATCH", Pods, Merge, "{}", 405, "MethodNotAllowed", "the server does not allow this method on the requested resource")]
    [InlineData("DELETE", "/api/v1/namespaces", Json, "", 405, "MethodNotAllowed", "the server does not allow this method on the requested resource")]
    [InlineData("GET", "/api/v1/widgets", null, "", 404, "NotFound", "the server could not find the requested resource")]
    [InlineData("GET", Pods + "/here/widgets", null, "", 404, "NotFound", "the server could not find the requested resource")]
    // Lists.
    [InlineData("GET", Pods + "?fieldSelector=spec.wrong%3D1", null, "", 400, "BadRequest", "field label not supported: spec.wrong")]
    [InlineData("GET", Pods + "?resourceVersionMatch=Exact", null, "", 422, "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")]
    [InlineData("GET", Pods + "?resourceVersion=1&resourceVersionMatch=Nearly", null, "", 422, "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: \"Nearly\": supported values: \"Exact\", \"NotOlderThan\", \"\"")]
    [InlineData("GET", Pods + "?sendInitialEvents=true", null, "", 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list")]
    [InlineData("GET", Pods + "?watch=1&sendInitialEvents=true", null, "", 422, "Invalid",
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")]
    [InlineData("GET", Pods + "?continue=rubbish!", null, "", 400, "BadRequest", "continue key is not valid: ")]
    [InlineData("GET", Pods + "?resourceVersion=abc", null, "", 400, "BadRequest", "invalid resource version: ")]
    [InlineData("GET", Pods + "?resourceVersion=1000000", null, "", 504, "Timeout", "Timeout: Too large resource version: 1000000, current: ")]
    public async Task A_request_that_is_wrong_is_refused_in_a_real_servers_words(string method, string path, string? type, string body, int code, string? reason, string message)
    {
        var query = method is "POST" or "PUT" or "PATCH" ? "?fieldValidation=Strict" : "";
        var (answered, status) = await lab.Send(method, path + query, body.Length > 0 ? body : null, type ?? Json);
        Assert.Equal((code, "Status", "Failure", reason), (answered, (string?)status!["kind"], (string?)status["status"], (string?)status["reason"]));
        Assert.Equal(code, (int)status["code"]!);
        Assert.Contains(message.TrimEnd(' '), (string)status["message"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/metrics-of-nobody")]
    [InlineData("/apis/example.com/v1/widgets")]
    [InlineData("/apis/events.k8s.io/v7/events")]
    public async Task A_path_that_nobody_serves_is_not_even_answered_with_a_Status(string path)
    {
        using var response = await lab.Raw.GetAsync(path, Cancellation);
        Assert.Equal((404, "404 page not found\n"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation)));
    }

    [Theory]
    [InlineData("Ignore", null)]
    [InlineData("Warn", """299 - "unknown field \"spec.foo\"" """)]
    [InlineData("", """299 - "unknown field \"spec.foo\"" """)]
    public async Task An_unknown_field_is_a_warning_unless_it_was_to_be_ignored(string validation, string? warning)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{Pods}?dryRun=All&fieldValidation={validation}")
        {
            Content = new StringContent("""{"metadata":{"name":"w"},"spec":{"foo":1,"containers":[{"name":"c","image":"x"}]}}""", Encoding.UTF8, new MediaTypeHeaderValue(Json)),
        };
        using var response = await lab.Raw.SendAsync(request, Cancellation);
        Assert.Equal(201, (int)response.StatusCode);
        Assert.Equal(warning?.TrimEnd(), response.Headers.TryGetValues("Warning", out var said) ? said.Single() : null);
        Assert.Null(JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancellation))!["spec"]!["foo"]);
    }

    [Fact]
    public async Task Of_a_name_that_comes_twice_the_last_counts()
    {
        var (code, map) = await lab.Send("POST", $"{Maps}?dryRun=All&fieldValidation=Ignore", """{"metadata":{"name":"first","name":"last"},"data":{"a":"1","a":"2"}}""");
        Assert.Equal((201, "last", "2"), (code, (string?)map!["metadata"]!["name"], (string?)map["data"]!["a"]));
    }

    [Theory]
    [InlineData("?fieldValidation=Sometimes", "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Sometimes\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"")]
    [InlineData("?dryRun=Some", "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: ")]
    public async Task An_option_that_no_server_knows_is_refused(string query, string message)
    {
        var (code, status) = await lab.Send("POST", Maps + query, """{"metadata":{"name":"m"}}""");
        Assert.Equal(422, code);
        Assert.StartsWith(message, (string)status!["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_nobody_here_can_give_is_refused_before_anything_is_written()
    {
        var (code, status) = await lab.Send("POST", Maps, """{"metadata":{"name":"unread"}}""", accept: "text/html");
        Assert.Equal((406, "NotAcceptable", "only the following media types are accepted: " + MediaTypes), (code, (string?)status!["reason"], (string?)status["message"]));
        Assert.Equal(404, (await lab.Send("GET", $"{Maps}/unread")).Code);
        var (watch, why) = await lab.Send("GET", $"{Maps}?watch=true", accept: "image/png");
        Assert.Equal((406, "only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"), (watch, (string?)why!["message"]));
        // Who would rather have protobuf, but takes JSON, gets JSON.
        Assert.Equal(200, (await lab.Send("GET", $"{Maps}/here", accept: "application/vnd.kubernetes.protobuf,application/json")).Code);
    }

    [Theory]
    [InlineData(3 * 1024 * 1024, 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")]
    [InlineData(2 * 1024 * 1024 - 1000, 500, null, "etcdserver: request is too large")]
    public async Task What_is_too_large_is_refused_by_whoever_it_is_too_large_for(int bytes, int code, string? reason, string message)
    {
        var (answered, status) = await lab.Send("POST", Pods,
            $$$"""{"metadata":{"name":"large"},"spec":{"containers":[{"name":"c","image":"x","args":["{{{new string('a', bytes)}}}"]}]}}""");
        Assert.Equal((code, reason, message), (answered, (string?)status!["reason"], (string?)status["message"]));
    }

    [Fact]
    public async Task Too_many_annotations_are_refused()
    {
        var (code, status) = await lab.Send("POST", Maps, $$$$"""{"metadata":{"name":"m","annotations":{"a":"{{{{new string('a', 256 * 1024)}}}}"}}}""");
        Assert.Equal((422, "ConfigMap \"m\" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes"), (code, (string?)status!["message"]));
    }

    [Fact]
    public async Task YAML_is_read_and_written_like_JSON()
    {
        const string yaml = """
            apiVersion: v1
            kind: ConfigMap
            metadata:
              name: from-yaml
              annotations: {quoted: "7"}
            data:
              text: |
                two
                lines
              number: "0123"
            """;
        using var request = new HttpRequestMessage(HttpMethod.Post, Maps) { Content = new StringContent(yaml, Encoding.UTF8, new MediaTypeHeaderValue("application/yaml")) };
        request.Headers.TryAddWithoutValidation("Accept", "application/yaml");
        using var response = await lab.Raw.SendAsync(request, Cancellation);
        var text = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.Equal("application/yaml", response.Content.Headers.ContentType!.MediaType);
        var map = KubernetesYaml.Deserialize<V1ConfigMap>(text);
        Assert.Equal(("from-yaml", "7", "two\nlines\n", "0123"), (map.Name(), map.Annotations()["quoted"], map.Data["text"], map.Data["number"]));
        var (code, status) = await lab.Send("POST", Maps, "metadata: [", "application/yaml");
        Assert.Equal(400, code);
        Assert.StartsWith("the object provided is unrecognized (must be of type ConfigMap): ", (string)status!["message"]!, StringComparison.Ordinal);
    }

    /// <summary>One server that no test of this class changes.</summary>
    public sealed class Lab : IAsyncLifetime
    {
        internal ApiServerGiven Given { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Given = await Running();
            await Given.Create(Pod("here"));
            await Given.Create(Pod("held", more: p => p.Metadata.Finalizers = ["example.com/hold"]));
            await Given.Send("DELETE", $"{Pods}/held");
            await Given.Send("POST", Maps, """{"metadata":{"name":"here"}}""");
            await Given.Send("POST", "/api/v1/namespaces", """{"metadata":{"name":"leaving"}}""");
            await Given.Send("POST", "/api/v1/namespaces/leaving/configmaps", """{"metadata":{"name":"held","finalizers":["example.com/hold"]}}""");
            await Given.Send("DELETE", "/api/v1/namespaces/leaving");
        }

        public ValueTask DisposeAsync() => Given.DisposeAsync();
    }
}
