using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One field of an object and what is wrong with it, as in <c>status.details.causes</c>.</summary>
internal sealed record Cause(string Field, string Reason, string Message)
{
    public static Cause Required(string field, string detail = "") =>
        new(field, "FieldValueRequired", detail.Length == 0 ? "Required value" : $"Required value: {detail}");

    // A pointer that points nowhere is shown as a text.
    public static Cause Invalid(string field, JsonNode? value, string detail) =>
        new(field, "FieldValueInvalid", $"Invalid value: {Json.Text(value ?? "null")}: {detail}");

    public static Cause Unsupported(string field, string? value, params string[] supported) =>
        new(field, "FieldValueNotSupported", $"Unsupported value: \"{value}\": supported values: {string.Join(", ", supported.Select(s => $"\"{s}\""))}");

    public static Cause Forbidden(string field, string detail) => new(field, "FieldValueForbidden", $"Forbidden: {detail}");

    public static Cause Duplicate(string field, JsonNode? value) => new(field, "FieldValueDuplicate", $"Duplicate value: {Json.Text(value)}");

    public static Cause NotFound(string field, string value, string detail = "") =>
        new(field, "FieldValueNotFound", detail.Length == 0 ? $"Not found: \"{value}\"" : $"Not found: \"{value}\": {detail}");

    public static Cause TooLong(string field, int limit) => new(field, "FieldValueTooLong", $"Too long: may not be more than {limit} bytes");
}

/// <summary>A refusal with the words, reason and code a kube-apiserver uses (apimachinery, api/errors).</summary>
internal sealed class KubernetesError(int code, string reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code { get; } = code;

    public JsonObject Status { get; init; } = MakeStatus(code, reason, message, details);

    public static KubernetesError NotFound(Resource resource, string name) =>
        new(404, "NotFound", $"{resource.Qualified} \"{name}\" not found", Details(resource, name));

    public static KubernetesError NoSuchPath() => new(404, "NotFound", "the server could not find the requested resource", []);

    public static KubernetesError AlreadyExists(Resource resource, string name) =>
        new(409, "AlreadyExists", $"{resource.Qualified} \"{name}\" already exists", Details(resource, name));

    public static KubernetesError Conflict(Resource resource, string name, string why, string subresource = "") =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {resource.QualifiedWith(subresource)} \"{name}\": {why}", Details(resource, name, subresource));

    public static KubernetesError Modified(Resource resource, string name) =>
        Conflict(resource, name, "the object has been modified; please apply your changes to the latest version and try again");

    public static KubernetesError FailedPrecondition(Resource resource, string? @namespace, string name, string field, string? asked, string? found) =>
        Conflict(resource, name, "StorageError: invalid object, Code: 4, Key: " +
            $"/registry/{resource.StorageKey(@namespace, name)}, ResourceVersion: 0, AdditionalErrorMsg: " +
            $"Precondition failed: {field} in precondition: {asked}, {field} in object meta: {found}");

    public static KubernetesError Invalid(Resource resource, string name, params IReadOnlyList<Cause> causes) => Invalid(resource.Kind, resource.Group, name, causes);

    public static KubernetesError Invalid(string kind, string group, string name, params IReadOnlyList<Cause> causes)
    {
        // Two causes of one text are said once (ErrorList.ToAggregate).
        var texts = causes.Select(c => $"{c.Field}: {c.Message}").Distinct(StringComparer.Ordinal).ToArray();
        var details = new JsonObject();
        details.Put("name", Omitted(name));
        details.Put("group", Omitted(group));
        details.Put("kind", Omitted(kind));
        details["causes"] = new JsonArray([.. causes.Select(c => new JsonObject { ["reason"] = c.Reason, ["message"] = c.Message, ["field"] = c.Field })]);
        var qualified = group.Length > 0 ? $"{kind}.{group}" : kind;
        return new(422, "Invalid", $"{qualified} \"{name}\" is invalid: {(texts.Length == 1 ? texts[0] : $"[{string.Join(", ", texts)}]")}", details);
    }

    /// <summary>A patch that cannot be applied; a real server keeps to itself why.</summary>
    public static KubernetesError Unprocessable() => new(422, "Invalid", "the server rejected our request due to an error in our request", []);

    /// <summary>etcd has no room left; what was asked did not happen.</summary>
    public static KubernetesError NoSpace() => new(500, "", "etcdserver: mvcc: database space exceeded");

    /// <summary>One object beyond what etcd takes in one request.</summary>
    public static KubernetesError TooLargeForStorage() => new(500, "", "etcdserver: request is too large");

    public static KubernetesError BadRequest(string message) => new(400, "BadRequest", message);

    public static KubernetesError Undecodable(Resource resource, string why) =>
        BadRequest($"{resource.Kind} in version \"{resource.Version}\" cannot be handled as a {resource.Kind}: {why}");

    public static KubernetesError Forbidden(Resource resource, string name, string why) =>
        new(403, "Forbidden", $"{resource.Qualified} \"{name}\" is forbidden: {why}", Details(resource, name));

    public static KubernetesError MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []);

    public static KubernetesError NotImplemented(string message) => new(501, "NotImplemented", message);

    public static KubernetesError UnsupportedMediaType(string accepted) =>
        new(415, "UnsupportedMediaType", $"the body of the request was in an unknown format - accepted media types include: {accepted}");

    public static KubernetesError TooLarge(long limit) =>
        new(413, "RequestEntityTooLarge", $"Request entity too large: limit is {limit}");

    public static KubernetesError Expired(long asked, long oldest) =>
        new(410, "Expired", $"too old resource version: {asked} ({oldest})");

    public static KubernetesError TooLargeRevision(long asked, long current) =>
        new(504, "Timeout", $"Timeout: Too large resource version: {asked}, current: {current}", new JsonObject
        {
            ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }),
            ["retryAfterSeconds"] = 1,
        });

    public static KubernetesError Internal(string message) =>
        new(500, "InternalError", $"Internal error occurred: {message}", new JsonObject
        {
            ["causes"] = new JsonArray(new JsonObject { ["message"] = message }),
        });

    private static JsonNode? Omitted(string text) => text.Length > 0 ? text : null;

    private static JsonObject Details(Resource resource, string name, string subresource = "")
    {
        var details = new JsonObject { ["name"] = name };
        if (resource.Group.Length > 0)
            details["group"] = resource.Group;
        details["kind"] = subresource.Length > 0 ? $"{resource.Plural}/{subresource}" : resource.Plural;
        return details;
    }

    private static JsonObject MakeStatus(int code, string reason, string message, JsonObject? details)
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = message,
        };
        if (reason.Length > 0)
            status["reason"] = reason;
        if (details is not null)
            status["details"] = details;
        status["code"] = code;
        return status;
    }
}
