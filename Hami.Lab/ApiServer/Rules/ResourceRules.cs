using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What the server does with objects of one resource on their way in; by default nothing.</summary>
internal class ResourceRules
{
    /// <summary>Fills in what the client left out (the API's defaulting).</summary>
    public virtual void Default(JsonObject body)
    {
    }

    /// <summary>The built-in admission of a new object, before any webhook: fills in, or refuses.</summary>
    public virtual void Admit(JsonObject body, ObjectStore store)
    {
    }

    /// <summary>The built-in admission of a new object, after the webhooks; it may put right again what they changed.</summary>
    public virtual void Review(JsonObject body, ObjectStore store)
    {
    }

    /// <summary>Adds what Go writes even when nobody set it, whichever door the change came through.</summary>
    public virtual void Complete(JsonObject body)
    {
    }

    /// <summary>Sets what a client may not choose on a new object.</summary>
    public virtual void PrepareCreate(JsonObject body)
    {
    }

    public virtual IEnumerable<Cause> Validate(JsonObject body) => [];

    /// <summary>Whether a write of the status alone is validated like any other.</summary>
    public virtual bool ValidatesWithStatus => true;

    /// <summary>What holds only for a new object.</summary>
    public virtual IEnumerable<Cause> ValidateNew(JsonObject body) => [];

    public virtual IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) => [];

    /// <summary>The seconds a deletion leaves the object; null where it goes at once without being marked.</summary>
    public virtual long? GracePeriod(JsonObject body, long? asked) => null;
}

internal sealed class NamespaceRules : ResourceRules
{
    public override void Default(JsonObject body)
    {
        // A selector can name a namespace without anybody having labelled it.
        if (body.TextAt("metadata", "name") is { } name)
            body.Child("metadata").Child("labels").SetIfMissing("kubernetes.io/metadata.name", name);
        body.Child("spec").SetIfMissing("finalizers", new JsonArray("kubernetes"));
    }

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        foreach (var finalizer in body.At("spec", "finalizers").Texts())
        {
            causes.Invalid("spec.finalizers", finalizer, Formats.QualifiedName(finalizer));
            causes.Invalid("spec.finalizers", finalizer, Formats.OldFinalizer(finalizer));
        }
        return causes.Found;
    }

    public override void PrepareCreate(JsonObject body) => body["status"] = new JsonObject { ["phase"] = "Active" };
}
