using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Create, update, patch and delete: decode, default, admit, validate, and write if nobody was faster.</summary>
internal sealed class Writes(ObjectStore store, Webhooks webhooks, TimeProvider time)
{
    private static readonly string[] ServerOwned =
        ["name", "namespace", "uid", "creationTimestamp", "generateName", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"];

    private readonly Quotas _quotas = new(store);

    public async Task<Stored> Create(ApiRequest at, JsonObject sent, WriteOptions options)
    {
        var resource = at.Resource;
        var body = Intake.Decode(sent, resource, options);
        var metadata = body.Child("metadata");
        CheckNamespace(at, metadata);
        if (metadata.TextAt("resourceVersion") is { Length: > 0 })
            throw new KubernetesError(500, "", "resourceVersion should not be set on objects to be created");
        foreach (var name in (string[])["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"])
            metadata.Remove(name);
        resource.Rules.Default(body);
        RequireNamespace(at, metadata.TextAt("name") ?? metadata.TextAt("generateName") ?? "");
        resource.Rules.Admit(body, store);

        var call = new AdmissionCall(resource, "", "CREATE", at.Namespace ?? "", metadata.TextAt("name") ?? "", options.ToObject(), options.DryRun) { Object = body };
        await webhooks.Mutate(call, o => Renormalise(o, resource));
        body = call.Object;
        metadata = body.Child("metadata");
        if (string.IsNullOrEmpty(metadata.TextAt("name")) && metadata.TextAt("generateName") is { Length: > 0 } prefix)
            metadata["name"] = prefix[..Math.Min(prefix.Length, 58)] + Names.RandomSuffix();
        var created = metadata.TextAt("name") ?? "";
        RequireNamespace(at, created);
        resource.Rules.Review(body, store);
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = Ages.Stamp(time.GetUtcNow());
        if (resource.CountsGenerations)
            metadata["generation"] = 1;
        resource.Rules.PrepareCreate(body);
        Refuse(resource, created, ObjectChecks.Of(body, resource).Concat(resource.Rules.Validate(body)).Concat(resource.Rules.ValidateNew(body)));
        await webhooks.Validate(call);
        options.Warnings.AddRange(call.Warnings);
        var written = _quotas.Create(resource, body, options.DryRun, () => store.TryWrite(resource, body, expected: null, options.DryRun))
            ?? throw KubernetesError.AlreadyExists(resource, created);
        if (options.DryRun)
            return written;
        if (resource == Resources.Namespaces)
            await Bootstrap.PrepareNamespace(store, Make, created);
        // Emptied while webhooks were asked: whoever ends the namespace has looked before this was written, or sees it.
        else if (resource.Namespaced && IsEnding(at.Namespace!))
            Discard(written);
        return written;
    }

    /// <summary>Makes an object of the server's own.</summary>
    public Task Make(ApiRequest at, JsonObject body) => Create(at, body, new("CreateOptions", DryRun: false, "", ""));

    public Task<Stored> Replace(ApiRequest at, JsonObject sent, WriteOptions options) => Modify(at, options, _ => Json.Copy(sent), patch: null);

    // Of a status patch nothing else is kept, so nothing else is copied and decoded where it has no word about it.
    public Task<Stored> Patch(ApiRequest at, Patch patch, WriteOptions options) => Modify(
        at, options, current => patch.Apply(at.Subresource is "status" && patch.LeavesSpec ? current.TypedStatus(at.Resource) : current.Typed(at.Resource)), patch);

    /// <summary>Deletes or begins to delete. Returns the object as it was last seen.</summary>
    public async Task<Stored> Delete(ApiRequest at, JsonObject asked, WriteOptions options)
    {
        while (true)
        {
            var current = store.Get(at.Resource, at.Namespace, at.Name);
            CheckPreconditions(current, asked.MapAt("preconditions"));
            var call = new AdmissionCall(at.Resource, "", "DELETE", at.Namespace ?? "", at.Name, options.ToObject(), options.DryRun) { OldObject = current.Body };
            await webhooks.Mutate(call, _ => { });
            await webhooks.Validate(call);
            options.Warnings.AddRange(call.Warnings);
            if (options.DryRun)
                return current;
            if (Cascade.Held(current, asked) is { } held)
            {
                if (store.TryWrite(at.Resource, held, current, dryRun: false) is not { } marked)
                    continue;
                current = marked;
            }
            if (TryDelete(current, asked.NumberAt("gracePeriodSeconds")) is { } last)
                return last;
        }
    }

    /// <summary>Goes on with the namespaces whose end had begun.</summary>
    public void EndNamespaces()
    {
        foreach (var ending in store.List(Resources.Namespaces).Objects.Where(n => IsEnding(n.Name)).ToArray())
            Discard(ending);
    }

    public async Task<List<Stored>> DeleteAll(ApiRequest at, Selector selector, JsonObject asked, WriteOptions options)
    {
        var deleted = new List<Stored>();
        foreach (var stored in store.List(at.Resource, at.Namespace).Objects.Where(selector.Matches).ToArray())
        {
            try
            {
                deleted.Add(await Delete(at with { Namespace = stored.Namespace, Name = stored.Name }, asked, options));
            }
            catch (KubernetesError e) when (e.Code == 404)
            {
                // Somebody else deleted it first; it is gone, as asked.
            }
        }
        return deleted;
    }

    /// <summary>Removes an object under whatever rule holds for its deletion; null when it changed meanwhile.</summary>
    private Stored? TryDelete(Stored current, long? asked)
    {
        var resource = current.Resource;
        var metadata = current.Body.MapAt("metadata")!;
        var held = metadata["finalizers"] is JsonArray { Count: > 0 };
        var grace = resource.Rules.GracePeriod(current.Body, asked);
        if (resource == Resources.Namespaces)
            return TryDeleteNamespace(current);
        if (metadata["deletionTimestamp"] is not null)
        {
            // A deletion under way can only be made faster (rest.BeforeDelete).
            var left = metadata.NumberAt("deletionGracePeriodSeconds") ?? 0;
            if (asked is null || grace is null || grace >= left)
                return left == 0 && !held ? Remove(current) : current;
        }
        else if (grace is null && !held)
        {
            return Remove(current);
        }
        var marked = store.TryWrite(resource, Marked(current, grace ?? 0), current, dryRun: false);
        if (marked is null || (grace ?? 0) > 0 || held)
            return marked;
        Remove(marked);
        return marked;
    }

    private JsonObject Marked(Stored current, long grace)
    {
        var body = Json.Copy(current.Body);
        var metadata = body.Child("metadata");
        var began = Ages.Parse(metadata.TextAt("deletionTimestamp")) is { } end
            ? end.AddSeconds(-(metadata.NumberAt("deletionGracePeriodSeconds") ?? 0))
            : time.GetUtcNow();
        metadata["deletionTimestamp"] = Ages.Stamp(began.AddSeconds(grace));
        metadata["deletionGracePeriodSeconds"] = grace;
        if (metadata.NumberAt("generation") is { } generation)
            metadata["generation"] = generation + 1;
        return body;
    }

    private Stored? Remove(Stored current)
    {
        var last = store.TryDelete(current);
        if (last is not null && current.Namespace.Length > 0)
            FinishNamespace(current.Namespace);
        return last;
    }

    // Marks the namespace, empties it, and removes it once nothing is left in it; a kubelet may still have pods to end.
    private Stored? TryDeleteNamespace(Stored current)
    {
        var body = Marked(current, 0);
        body.Child("metadata").Remove("deletionGracePeriodSeconds");
        body.Child("status")["phase"] = "Terminating";
        var marked = current.Body.TextAt("metadata", "deletionTimestamp") is null ? store.TryWrite(Resources.Namespaces, body, current, dryRun: false) : current;
        if (marked is null)
            return null;
        foreach (var inside in Resources.All.Where(r => r.Namespaced && r.StoredAs is null))
        {
            foreach (var stored in store.List(inside, marked.Name).Objects.ToArray())
                Discard(stored);
        }
        FinishNamespace(marked.Name);
        return marked;
    }

    private void Discard(Stored inside)
    {
        // One attempt is lost when the object changes meanwhile; the next read has the newer version.
        for (var now = inside; now is not null && TryDelete(now, asked: null) is null;)
            now = store.Find(inside.Resource, inside.Namespace, inside.Name);
    }

    private void FinishNamespace(string name)
    {
        if (store.Find(Resources.Namespaces, "", name) is { } owner && owner.Body.TextAt("status", "phase") is "Terminating"
            && !Resources.All.Any(r => r.Namespaced && r.StoredAs is null && store.List(r, name).Objects.Any()))
            store.TryDelete(owner);
    }

    private async Task<Stored> Modify(ApiRequest at, WriteOptions options, Func<Stored, JsonObject> change, Patch? patch)
    {
        var resource = at.Resource;
        while (true)
        {
            var current = store.Get(resource, at.Namespace, at.Name);
            // Each round decodes anew, and a warning is worth saying once.
            options.Warnings.Clear();
            var changed = change(current);
            var body = Intake.Decode(changed, resource, options, patch is null ? null : () => patch.Shown(changed));
            CheckIdentity(at, current, body.Child("metadata"), patch is not null);
            body = at.Subresource is "status" ? WithStatus(current, body, resource) : WithOwned(current, body, resource);
            var call = new AdmissionCall(resource, at.Subresource, "UPDATE", at.Namespace ?? "", at.Name, options.ToObject(), options.DryRun)
            {
                Object = body,
                OldObject = current.Body,
            };
            await webhooks.Mutate(call, o => Renormalise(o, resource));
            body = call.Object;
            resource.Rules.Complete(body);
            if (at.Subresource.Length == 0)
                CountGeneration(current, body, resource);
            Refuse(resource, at.Name, ObjectChecks.Of(body, resource).Concat(ObjectChecks.OfUpdate(body, current.Body))
                .Concat(at.Subresource is "status" && !resource.Rules.ValidatesWithStatus ? [] : resource.Rules.Validate(body)).Concat(resource.Rules.ValidateUpdate(body, current.Body)));
            await webhooks.Validate(call);
            options.Warnings.AddRange(call.Warnings);
            if (store.TryWrite(resource, body, current, options.DryRun) is not { } written)
                continue;
            if (options.DryRun || !IsFinished(written))
                return written;
            Remove(written);
            return written;
        }
    }

    // The last finalizer is gone from an object whose time is over.
    private static bool IsFinished(Stored written) =>
        written.Resource != Resources.Namespaces
        && written.Facts.IsLeaving
        && written.Body.ListAt("metadata", "finalizers") is not { Count: > 0 }
        && (written.Body.NumberAt("metadata", "deletionGracePeriodSeconds") ?? 0) == 0;

    private static JsonObject WithStatus(Stored current, JsonObject sent, Resource resource)
    {
        var body = new JsonObject();
        foreach (var (name, value) in current.Body.Where(p => p.Key is not "status"))
            body.Put(name, value);
        // What was sent is nobody else's: its status moves, uncopied.
        if (sent.Remove("status", out var status))
            body.Put("status", status);
        if (resource.StatusCarriesMetadata)
        {
            foreach (var name in (string[])["labels", "annotations"])
                body.Child("metadata").Put(name, sent.At("metadata", name));
        }
        return body;
    }

    private static JsonObject WithOwned(Stored current, JsonObject sent, Resource resource)
    {
        resource.Rules.Default(sent);
        foreach (var name in ServerOwned)
            sent.Child("metadata").Put(name, current.Body.At("metadata", name));
        if (resource.HasStatus)
            sent.Put("status", current.Body["status"]);
        return sent;
    }

    private static void CountGeneration(Stored current, JsonObject body, Resource resource)
    {
        if (!resource.CountsGenerations)
            return;
        // A Deployment's annotations count like its spec (deploymentStrategy.PrepareForUpdate).
        var annotated = ReferenceEquals(resource, Resources.Deployments) && !Json.Same(current.Body.At("metadata", "annotations"), body.At("metadata", "annotations"));
        if (annotated || !SameBesidesBookkeeping(current.Body, body) || !SameBesidesBookkeeping(body, current.Body))
            body.Child("metadata")["generation"] = (current.Body.NumberAt("metadata", "generation") ?? 0) + 1;
    }

    private static bool SameBesidesBookkeeping(JsonObject one, JsonObject other) =>
        one.All(p => p.Key is "metadata" or "status" || Json.Same(p.Value, other[p.Key]));

    private static void Renormalise(JsonObject body, Resource resource)
    {
        Decoder.Decode(body, resource);
        resource.Rules.Default(body);
    }

    private static void CheckIdentity(ApiRequest at, Stored current, JsonObject metadata, bool isPatch)
    {
        var resource = at.Resource;
        if (isPatch && resource.Namespaced && metadata.TextAt("namespace") is { Length: > 0 } own && own != at.Namespace)
            throw KubernetesError.BadRequest($"the namespace of the object ({own}) does not match the namespace on the request ({at.Namespace})");
        CheckNamespace(at, metadata);
        if (metadata.TextAt("name") is { Length: > 0 } name && name != at.Name)
            throw KubernetesError.BadRequest($"the name of the object ({name}) does not match the name on the URL ({at.Name})");
        var revision = metadata.TextAt("resourceVersion");
        if (revision is null or "" or "0")
        {
            if (!resource.UnconditionalUpdate)
                throw KubernetesError.Invalid(resource.Plural, resource.Group, at.Name, Cause.Invalid("metadata.resourceVersion", 0, "must be specified for an update"));
        }
        else if (revision != current.Revision.ToString())
        {
            throw KubernetesError.Modified(resource, at.Name);
        }
        // A PUT's uid is a precondition, a patch's is just a field that cannot change; controllers tell the two apart.
        if (metadata.TextAt("uid") is { Length: > 0 } uid && uid != current.Uid)
        {
            throw isPatch
                ? KubernetesError.Invalid(resource, at.Name, Cause.Invalid("metadata.uid", uid, "field is immutable"))
                : KubernetesError.FailedPrecondition(resource, at.Namespace, at.Name, "UID", uid, current.Uid);
        }
    }

    private static void CheckNamespace(ApiRequest at, JsonObject metadata)
    {
        if (!at.Resource.Namespaced)
        {
            metadata.Remove("namespace");
            return;
        }
        if (metadata.TextAt("namespace") is { Length: > 0 } own && own != at.Namespace)
            throw KubernetesError.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        metadata["namespace"] = at.Namespace;
    }

    private void RequireNamespace(ApiRequest at, string name)
    {
        if (!at.Resource.Namespaced)
            return;
        _ = store.Get(Resources.Namespaces, "", at.Namespace!);
        if (IsEnding(at.Namespace!))
        {
            throw KubernetesError.Forbidden(at.Resource, name,
                $"unable to create new content in namespace {at.Namespace} because it is being terminated");
        }
    }

    private bool IsEnding(string @namespace) =>
        store.Find(Resources.Namespaces, "", @namespace) is not { } there || there.Body.TextAt("status", "phase") is "Terminating";

    private static void CheckPreconditions(Stored current, JsonObject? asked)
    {
        // Here, and only here, the words name the kind (rest.BeforeDelete).
        var kind = current.Resource with { Plural = current.Resource.Kind };
        if (asked.TextAt("uid") is { } uid && uid != current.Uid)
        {
            throw KubernetesError.Conflict(kind, current.Name,
                $"the UID in the precondition ({uid}) does not match the UID in record ({current.Uid}). The object might have been deleted and then recreated");
        }
        if (asked.TextAt("resourceVersion") is { } revision && revision != current.Revision.ToString())
        {
            throw KubernetesError.Conflict(kind, current.Name,
                $"the ResourceVersion in the precondition ({revision}) does not match the ResourceVersion in record ({current.Revision}). The object might have been modified");
        }
    }

    private static void Refuse(Resource resource, string name, IEnumerable<Cause> causes)
    {
        if (causes.ToArray() is { Length: > 0 } wrong)
            throw KubernetesError.Invalid(resource.Storage, name, wrong);
    }
}
