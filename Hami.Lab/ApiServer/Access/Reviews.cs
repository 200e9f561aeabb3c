using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Questions about tokens and rights, which are asked by creating an object that nobody keeps.</summary>
internal sealed class Reviews(ObjectStore store, Guard guard, Rbac rbac, Tokens tokens, TimeProvider time)
{
    private const string Groups = "authentication.k8s.io";
    private const long DefaultSeconds = 3600;
    private const long LeastSeconds = 600;
    private const long MostSeconds = 1L << 32;

    /// <summary>Answers a review; the body is in its stored form.</summary>
    public JsonObject Answer(Resource resource, string? @namespace, JsonObject body)
    {
        var spec = body.Child("spec");
        body["status"] = resource.Plural switch
        {
            "tokenreviews" => Token(spec),
            "selfsubjectreviews" => new JsonObject { ["userInfo"] = Caller.Current.ToInfo() },
            "selfsubjectaccessreviews" => Access(resource, Caller.Current, spec),
            "subjectaccessreviews" => Access(resource, Subject(resource, spec), spec),
            "localsubjectaccessreviews" => Local(resource, @namespace!, spec),
            "selfsubjectrulesreviews" => Rules(spec.TextAt("namespace") ?? throw KubernetesError.BadRequest("no namespace on request")),
            _ => throw KubernetesError.NoSuchPath(),
        };
        if (resource.Plural is "selfsubjectreviews")
        {
            body.Remove("spec");
            body.Child("metadata")["creationTimestamp"] = Ages.Stamp(time.GetUtcNow());
        }
        return Typed(resource.Kind, resource.ApiVersion, body);
    }

    /// <summary>serviceaccounts/token.</summary>
    public JsonObject Issue(string @namespace, string name, JsonObject request)
    {
        var account = store.Get(Resources.ServiceAccounts, @namespace, name);
        var spec = request.Child("spec");
        var seconds = spec.NumberAt("expirationSeconds") ?? DefaultSeconds;
        if (seconds < LeastSeconds)
        {
            throw KubernetesError.Invalid("TokenRequest", Groups, name,
                [Cause.Invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")]);
        }
        if (seconds > MostSeconds)
        {
            throw KubernetesError.Invalid("TokenRequest", Groups, name,
                [Cause.Invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")]);
        }
        var audiences = spec.ListAt("audiences") is { Count: > 0 } asked ? (JsonArray)asked.DeepClone() : new JsonArray(Tokens.Issuer);
        var now = time.GetUtcNow();
        var claims = new JsonObject
        {
            ["aud"] = audiences.DeepClone(), ["exp"] = now.ToUnixTimeSeconds() + seconds, ["iat"] = now.ToUnixTimeSeconds(), ["iss"] = Tokens.Issuer,
            ["jti"] = Guid.NewGuid().ToString(), ["nbf"] = now.ToUnixTimeSeconds(), ["sub"] = Caller.AccountName(@namespace, name),
            ["kubernetes.io"] = Bound(account, spec.MapAt("boundObjectRef")),
        };
        var status = new JsonObject { ["token"] = tokens.Sign(claims), ["expirationTimestamp"] = Ages.Stamp(now.AddSeconds(seconds)) };
        return Typed("TokenRequest", $"{Groups}/v1", new()
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = @namespace, ["creationTimestamp"] = Ages.Stamp(now) },
            ["spec"] = new JsonObject { ["audiences"] = audiences, ["expirationSeconds"] = seconds, ["boundObjectRef"] = spec["boundObjectRef"]?.DeepClone() },
            ["status"] = status,
        });
    }

    private JsonObject Bound(Stored account, JsonObject? to)
    {
        static JsonObject Named(Stored thing) => new() { ["name"] = thing.Name, ["uid"] = thing.Uid };
        var bound = new JsonObject { ["namespace"] = account.Namespace, ["serviceaccount"] = Named(account) };
        if (to is null)
            return bound;
        var name = to.TextAt("name") ?? "";
        var thing = to.TextAt("kind") switch
        {
            "Pod" => store.Get(Resources.Pods, account.Namespace, name),
            "Secret" => store.Get(Resources.Secrets, account.Namespace, name),
            "Node" => store.Get(Resources.Nodes, "", name),
            var kind => throw KubernetesError.BadRequest($"cannot bind token for serviceaccount \"{account.Name}\" to object reference {kind}; only Pod, Secret and Node are supported"),
        };
        if (to.TextAt("uid") is { Length: > 0 } uid && uid != thing.Uid)
        {
            throw KubernetesError.Conflict(thing.Resource, name,
                $"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated");
        }
        if (thing.Resource == Resources.Pods && thing.Body.TextAt("spec", "serviceAccountName") != account.Name)
            throw KubernetesError.BadRequest($"cannot bind token for serviceaccount \"{account.Name}\" to pod running with different serviceaccount name.");
        bound[thing.Resource.Singular] = Named(thing);
        if (thing.Resource == Resources.Pods && thing.Body.TextAt("spec", "nodeName") is { Length: > 0 } node)
            bound["node"] = store.Find(Resources.Nodes, "", node) is { } known ? Named(known) : new JsonObject { ["name"] = node };
        return bound;
    }

    private JsonObject Token(JsonObject spec)
    {
        if (spec.TextAt("token") is not { Length: > 0 } token)
            throw KubernetesError.BadRequest("token is required for TokenReview in authentication");
        if (guard.Holder(token, out var why) is not { } holder)
            return new() { ["user"] = new JsonObject(), ["error"] = why };
        var asked = spec["audiences"].Texts().ToArray();
        var common = (asked.Length == 0 ? [Tokens.Issuer] : asked).Intersect(holder.Audiences, StringComparer.Ordinal).ToArray();
        return common.Length == 0
            ? new() { ["user"] = new JsonObject(), ["error"] = $"[invalid bearer token, token audiences {Printed(holder.Audiences)} is invalid for the target audiences {Printed(asked)}]" }
            : new() { ["authenticated"] = true, ["user"] = holder.Who.ToInfo(), ["audiences"] = Json.Texts(common) };
    }

    private static string Printed(string[] texts) => $"[{string.Join(' ', texts.Select(t => $"\"{t}\""))}]";

    private JsonObject Local(Resource resource, string @namespace, JsonObject spec)
    {
        if (spec.MapAt("nonResourceAttributes") is not null)
            throw KubernetesError.Invalid(resource, "", Cause.Forbidden("spec.nonResourceAttributes", "disallowed on this kind of request"));
        if (spec.TextAt("resourceAttributes", "namespace") != @namespace)
            throw KubernetesError.BadRequest($"spec.resourceAttributes.namespace must match namespace: {@namespace}");
        return Access(resource, Subject(resource, spec), spec);
    }

    private static Caller Subject(Resource resource, JsonObject spec)
    {
        var (user, groups) = (spec.TextAt("user") ?? "", spec["groups"].Texts().ToArray());
        if (user.Length == 0 && groups.Length == 0)
            throw KubernetesError.Invalid(resource, "", Cause.Invalid("spec.user", "", "at least one of user or group must be specified"));
        return new(user, spec.TextAt("uid") ?? "", groups, (spec.MapAt("extra") ?? []).ToDictionary(e => e.Key, e => e.Value.Texts().ToArray(), StringComparer.Ordinal));
    }

    private JsonObject Access(Resource resource, Caller who, JsonObject spec)
    {
        var (about, path) = (spec.MapAt("resourceAttributes"), spec.MapAt("nonResourceAttributes"));
        if (about is null == path is null)
        {
            throw KubernetesError.Invalid(resource, "", Cause.Invalid(
                about is null ? "spec.resourceAttributes" : "spec.nonResourceAttributes", about is null ? null : path!.DeepClone(),
                about is null ? "exactly one of nonResourceAttributes or resourceAttributes must be specified" : "cannot be specified in combination with resourceAttributes"));
        }
        var deed = path is not null
            ? new Deed(path.TextAt("verb") ?? "") { Path = path.TextAt("path") ?? "" }
            : new Deed(about.TextAt("verb") ?? "")
            {
                Group = about.TextAt("group") ?? "", Resource = about.TextAt("resource") ?? "", Subresource = about.TextAt("subresource") ?? "",
                Name = about.TextAt("name") ?? "", Namespace = about.TextAt("namespace") ?? "",
            };
        var (allowed, reason) = rbac.Decide(who, deed);
        var status = new JsonObject { ["allowed"] = allowed };
        if (reason.Length > 0)
            status["reason"] = reason;
        return status;
    }

    private JsonObject Rules(string @namespace)
    {
        var (resources, paths) = (new JsonArray(), new JsonArray());
        var all = Caller.Current.IsMaster
            ? [(JsonObject)JsonNode.Parse("""{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}""")!, (JsonObject)JsonNode.Parse("""{"verbs":["*"],"nonResourceURLs":["*"]}""")!]
            : rbac.RulesOf(Caller.Current, @namespace).Select(r => Json.Copy(r.Rule)).ToArray();
        foreach (var rule in all)
            (rule["nonResourceURLs"] is null ? resources : paths).Add(rule);
        return new() { ["resourceRules"] = resources, ["nonResourceRules"] = paths, ["incomplete"] = false };
    }

    private static JsonObject Typed(string kind, string apiVersion, JsonObject body)
    {
        body.Remove("kind");
        body.Remove("apiVersion");
        body.Insert(0, "kind", kind);
        body.Insert(1, "apiVersion", apiVersion);
        return body;
    }
}
